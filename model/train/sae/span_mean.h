// What is read of a text of several tokens is the mean over them. Rows are
// tokens here; rows of one prompt stand one after the other.
//
// Letters: N rows, P prompts.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_SPAN_MEAN_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_SPAN_MEAN_H_

#include <ATen/ATen.h>

namespace alignsae {

// Means of `values` [N, ...] over the rows of each prompt: [P, ...]. prompts
// [N] int64: each row's prompt, 0 .. P - 1 without a gap; undefined: each row
// is a prompt, and `values` stay as they are.
at::Tensor MeanOfPrompts(const at::Tensor& values, const at::Tensor& prompts);

// Whether a row of the prompt is true: flags [N, ...] bool -> [P, ...] bool.
at::Tensor AnyOfPrompts(const at::Tensor& flags, const at::Tensor& prompts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_SPAN_MEAN_H_
