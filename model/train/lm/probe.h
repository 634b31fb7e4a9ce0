// How well a language model answers: greedy decoding by the loop that serves,
// whole answers compared.
//
// Thread-safety: free functions.
// Errors: those of the engine's steps.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_PROBE_H_
#define ALIGNSAE_MODEL_TRAIN_LM_PROBE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/gpt2/gpt2.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/common/decode.h"
#include "model/train/data/lm_texts.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// The greedy continuation of each prompt, up to `max_tokens`, without the `eos`
// that ends it; negative: nothing does.
absl::StatusOr<std::vector<ArmAnswer>> GreedyDecode(
    const Gpt2& model, absl::Span<const std::vector<int32_t>> prompts,
    int max_tokens, int32_t eos);

// Part of right answers on the wordings of `split`, in [0, 1].
struct HalfAccuracy {
  double mean = 0;
  std::vector<double> by_group;  // As LmTexts::groups.
};
struct ProbeResult {
  HalfAccuracy asked;  // ProbeQuestion::asked.
  HalfAccuracy never_asked;
};

// {"mean", group: part of right answers}.
nlohmann::ordered_json AccuracyToJson(const HalfAccuracy& accuracy,
                                      const std::vector<std::string>& groups);

// Asks about the first `subjects` of each half.
absl::StatusOr<ProbeResult> ProbeAccuracy(const Gpt2& model,
                                          const Tokenizer& tokenizer,
                                          const LmTexts& texts, Split split,
                                          int subjects);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_PROBE_H_
