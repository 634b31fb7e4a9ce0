// Residuals of the frozen language model at one token of labelled prompts: what
// an SAE is trained, calibrated and measured on.
//
// Letters: N prompts, D d_model, R concepts.
//
// Thread-safety: free functions; a Transformer may serve several threads.
// Errors: INVALID_ARGUMENT for a hook point that the model does not have or a
// prompt longer than the context; RESOURCE_EXHAUSTED when memory runs out.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/sae/config.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/eval_set.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/sae/trainer.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// [N, D] float32 on the CPU, for several hook points.
using ResidualsByHook = std::map<HookPoint, at::Tensor, PlaceOrder>;

// What is at each of `hooks` at each prompt's position. Prompts leave the model
// behind the last of them.
absl::StatusOr<ResidualsByHook> CollectResiduals(
    const Transformer& model, absl::Span<const PositionedPrompt> prompts,
    const std::vector<HookPoint>& hooks);

// What goes in front of the texts of such a checkpoint: nothing, or the
// tokenizer's <|endoftext|>.
std::optional<int32_t> FirstToken(const SaeConfig& config,
                                  const Tokenizer& tokenizer);

struct QuestionResiduals {
  at::Tensor has_concept;  // [N, R] bool; undefined: as `labels` say.
  // [N] int64, the one concept of the prompt; -1: none or several.
  at::Tensor labels;
  at::Tensor first_tokens;  // [N] int64, of the gold answer; -1: none
  ResidualsByHook by_hook;  // [N, D]
};

// Of every prompt of `split`. `located` is TokenizePrompts' of the set.
absl::StatusOr<QuestionResiduals> CollectPrompts(
    const Transformer& model, const Tokenizer& tokenizer, const PromptSet& set,
    absl::Span<const PositionedPrompt> located, Split split,
    const std::vector<HookPoint>& hooks);

// Of every question of `split` about `people`, at its last token.
absl::StatusOr<QuestionResiduals> CollectQuestions(
    const Transformer& model, const Tokenizer& tokenizer, const EvalSet& set,
    const std::vector<int>& people, Split split,
    const std::vector<HookPoint>& hooks);

// Training data at one of the collected hook points, on `device`.
SaeDataset DatasetAt(const QuestionResiduals& questions, const HookPoint& hook,
                     const std::vector<std::string>& concepts,
                     at::Device device);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
