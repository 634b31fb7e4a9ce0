// The end of a step: logits, tokens that are sampled from them, and how likely
// a prompt's own tokens are.
//
// Of scored prompts, logits of kHeadRows positions at most exist at once (13 MB
// for GPT-2's vocabulary), whatever the length of the prompts. All blocks are
// of one size, so that equal variants give equal bits.
//
// Threads: on the step thread, whose OpenMP pool it uses.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_HEAD_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_HEAD_H_

#include <ATen/ATen.h>

#include <vector>

#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/transformer/residual_hook.h"
#include "model/transformer/transformer.h"

namespace alignsae {

inline constexpr int kHeadRows = 64;

// `x` is what Transformer::BeforeHead gave for `packed`, whose indices are
// those of `rows` and `results`. Sets `sampled`, `kl`, `scores` (which have
// their size) and, where logits are not finite, `status`.
void RunStepHead(const Transformer& model, const at::Tensor& x,
                 absl::Span<const PackedRow> packed,
                 absl::Span<const StepRow> rows,
                 std::vector<RowResult>& results);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_HEAD_H_
