// What an SAE is trained on: residuals at one hook, with what each row's prompt
// asks.
//
// Letters: N rows, D d_model, R concepts.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_DATASET_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_DATASET_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

namespace alignsae {

struct SaeDataset {
  // [N, D] float32; on the CPU, and mapped from a file, where there are blocks.
  at::Tensor residuals;
  // [N] int64, the one concept of the prompt, [0, R); -1: none or several. It
  // and the others lie where the SAE is trained.
  at::Tensor labels;
  at::Tensor first_tokens;  // [N] int64, first token id of the answer; -1: none
  int concepts = 0;         // R
  at::Tensor has_concept;   // [N, R] bool; undefined: as `labels` say.
  // Concepts that exclude each other; empty: all of them do.
  std::vector<std::vector<int>> facets;
  // Rows that are in memory at once, at least 4; 0: all. An epoch then sees
  // blocks of neighbouring rows in random order, and the rows of each in random
  // order, so neighbours should have nothing in common.
  int64_t block_rows = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_DATASET_H_
