// Whether an answer that was computed again is the one that was saved.
//
// Compared of each arm, in order: which arm it is; the id of every token; the
// logprob of every token, and of every alternative that was reported, which
// must lie within 1e-4 (a logprob is a logit less the logarithm of the sum over
// all, so that a difference of logits shows in it); the logprobs of a scored
// prompt likewise; why it ended; and of each receipt what was changed (mode,
// slots, hook point, alpha, unit, positions) and norm(change) and norm(h) at
// each position, within 1e-3 of their size. Not compared: the text, which
// follows from the ids; request, receipt and generation ids, which name calls
// and not answers; readings.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_CLIENT_CLI_COMPARE_ANSWERS_H_
#define ALIGNSAE_CLIENT_CLI_COMPARE_ANSWERS_H_

#include <string>
#include <vector>

#include "alignsae/v1/generation.pb.h"

namespace alignsae {

struct AnswerDifference {
  // The first thing that is not as it was, with its path; empty: all is.
  std::string what;
  int tokens = 0;              // Compared.
  double largest_logprob = 0;  // Difference of two logprobs.
};

AnswerDifference CompareArms(const std::vector<v1::ArmResult>& saved,
                             const std::vector<v1::ArmResult>& again);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_COMPARE_ANSWERS_H_
