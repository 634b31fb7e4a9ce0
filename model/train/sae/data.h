// Residuals of the frozen language model at one token of labelled prompts, or
// at all tokens of a text that each names: what an SAE is trained, calibrated
// and measured on.
//
// Letters: N rows, one for each token that is kept; D d_model, R concepts.
//
// Thread-safety: free functions; a Transformer may serve several threads.
// Errors: INVALID_ARGUMENT for a hook point that the model does not have or a
// prompt longer than the context; RESOURCE_EXHAUSTED when memory or the disk
// runs out.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/sae/config.h"
#include "model/steering/trained_positions.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/eval_set.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/sae/dataset.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// [N, D] float32 on the CPU, for several hook points.
using ResidualsByHook = std::map<HookPoint, at::Tensor, PlaceOrder>;

// Where residuals are kept.
struct ResidualRoom {
  // In memory at most, of all hooks of one call together; more of them lie in
  // files (common/mapped_tensor.h) in `directory`.
  int64_t most_bytes = std::numeric_limits<int64_t>::max();
  std::string directory;
  // Of the prompts' order where they lie in files: neighbours are then in one
  // block (dataset.h).
  uint64_t seed = 1;
};

// What is at each of `hooks` at each prompt's Span(), prompt by prompt. Prompts
// leave the model behind the last of them.
absl::StatusOr<ResidualsByHook> CollectResiduals(
    const Transformer& model, absl::Span<const PositionedPrompt> prompts,
    const std::vector<HookPoint>& hooks, const ResidualRoom& room = {});

// What goes in front of the texts of such a checkpoint: nothing, or the
// tokenizer's <|endoftext|>.
std::optional<int32_t> FirstToken(const SaeConfig& config,
                                  const Tokenizer& tokenizer);

struct QuestionResiduals {
  // [N] int64, the prompt of each row where one has several (span_mean.h);
  // undefined: one each.
  at::Tensor prompts;
  at::Tensor has_concept;  // [N, R] bool; undefined: as `labels` say.
  // [N] int64, the one concept of the row's prompt; -1: none or several.
  at::Tensor labels;
  at::Tensor first_tokens;  // [N] int64, of the gold answer; -1: none
  ResidualsByHook by_hook;  // [N, D]
  // Rows of one hook that the room has memory for, where they lie in files, in
  // random order of their prompts; 0: they are in memory, in the set's order.
  int64_t block_rows = 0;
};

// Of every prompt of `split`. `located` is TokenizePrompts' of the set. With
// kSpan all tokens of a position's text are rows, else the last one is.
absl::StatusOr<QuestionResiduals> CollectPrompts(
    const Transformer& model, const Tokenizer& tokenizer, const PromptSet& set,
    absl::Span<const PositionedPrompt> located, Split split,
    const std::vector<HookPoint>& hooks, TrainedPositions positions,
    const ResidualRoom& room = {});

// Of every question of `split` about `people`, at its last token.
absl::StatusOr<QuestionResiduals> CollectQuestions(
    const Transformer& model, const Tokenizer& tokenizer, const EvalSet& set,
    const std::vector<int>& people, Split split,
    const std::vector<HookPoint>& hooks, const ResidualRoom& room = {});

// Training data at one of the collected hook points, on `device`; residuals
// that lie in a file stay there.
SaeDataset DatasetAt(const QuestionResiduals& questions, const HookPoint& hook,
                     const std::vector<std::string>& concepts,
                     at::Device device);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
