// The language model's training examples, and the batches of an epoch.
//
// A text's every token is a label; of a question only the answer and eos are.
// Batches are bucketed by length and hold one kind.
//
// Letters in shapes: B examples, T tokens of the longest one, M labels.
//
// Thread-safety: LmExamples is immutable after Create.
// Errors: INVALID_ARGUMENT for a tokenizer without <|endoftext|> and for an
// example longer than the context.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_DATA_H_
#define ALIGNSAE_MODEL_TRAIN_LM_DATA_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/lm_texts.h"
#include "model/train/lm/options.h"

namespace alignsae {

struct LmExample {
  std::vector<int32_t> tokens;  // Ends with eos.
  int first_label = 1;          // tokens[first_label] and later are predicted.
};

struct LmBatchPlan {
  bool questions = false;
  std::vector<const LmExample*> examples;
};

// What the vocabulary is trained on: all that the model will read.
std::vector<std::string> TokenizerTexts(const LmTexts& texts);

class LmExamples {
 public:
  static absl::StatusOr<LmExamples> Create(const LmTexts& texts,
                                           const Tokenizer& tokenizer,
                                           int context);

  // A function of (options.seed, epoch) alone, so that a resumed run sees what
  // an uninterrupted one does. Pointers live as long as this object.
  std::vector<LmBatchPlan> EpochBatches(const LmOptions& options,
                                        int64_t epoch) const;
  // The same for every epoch.
  int64_t StepsPerEpoch(const LmOptions& options) const;

 private:
  std::vector<LmExample> biographies_;
  std::vector<std::vector<LmExample>> questions_;  // [fact][wording]
};

// A batch as tensors: right-padded (under a causal mask padding is never seen).
struct LmBatch {
  at::Tensor ids;     // [B, T] int64
  at::Tensor rows;    // [M] int64, index b * T + t of a position that predicts
  at::Tensor labels;  // [M] int64, what it has to predict
};

LmBatch Collate(absl::Span<const LmExample* const> examples, at::Device device);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_DATA_H_
