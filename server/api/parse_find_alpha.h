// FindAlpha: wire request -> what is tried and what is looked for. See
// parse_env.h for threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_FIND_ALPHA_H_
#define ALIGNSAE_SERVER_API_PARSE_FIND_ALPHA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "alignsae/v1/find_alpha.pb.h"
#include "model/scheduler/request.h"
#include "server/api/alpha_search.h"
#include "server/api/asked.h"
#include "server/api/parse_env.h"

namespace alignsae {

// The answer, its first token, or the concept that must be on top.
struct TargetOnTop {
  int column = 0;
};
using AlphaGoal = std::variant<std::string, int32_t, TargetOnTop>;

struct ParsedFindAlpha {
  SequenceSpec sequence;      // Without an intervention.
  Intervention intervention;  // But for its alpha.
  // Given: the interventions measure, and are held to the limits.
  std::optional<GuardLimits> measured;
  AskedGeneration asked;  // Without arms.
  AlphaSearch::Options search;
  AlphaGoal goal;

  // 2: each has one beside it that its KL is taken from.
  int sequences_per_try() const {
    return measured.has_value() && measured->kl.has_value() ? 2 : 1;
  }
};

// `fresh_seed` is used when the request gives none.
absl::StatusOr<ParsedFindAlpha> ParseFindAlpha(const v1::FindAlphaRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed);

// The sequence that tries `alpha`.
SequenceSpec TriedAt(double alpha, const ParsedFindAlpha& parsed);

// Appends it to `spec`, with what it is compared with right behind it, and its
// one arm to what was asked.
void AddTry(double alpha, ParsedFindAlpha& parsed, RequestSpec& spec);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_FIND_ALPHA_H_
