// Residuals of the frozen language model at the last prompt token of questions:
// what an SAE is trained, calibrated and measured on.
//
// Letters: N prompts, D d_model.
//
// Thread-safety: free functions; a Transformer may serve several threads.
// Errors: INVALID_ARGUMENT for a site outside [0, n_layer] or a prompt longer
// than the context; RESOURCE_EXHAUSTED when memory runs out.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_

#include <ATen/ATen.h>

#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/eval_set.h"
#include "model/train/sae/trainer.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// The residual entering block `site` (see base/hook_point.h) at each prompt's
// last token, for each of `sites`: site -> [N, D] float32 on the CPU. Prompts
// leave the model after the last site.
absl::StatusOr<std::map<int, at::Tensor>> CollectResiduals(
    const Transformer& model, absl::Span<const EvalPrompt> prompts,
    const std::vector<int>& sites);

struct QuestionResiduals {
  std::vector<EvalPrompt> prompts;
  at::Tensor labels;                  // [N] int64, relation asked
  at::Tensor first_tokens;            // [N] int64, of the gold answer
  std::map<int, at::Tensor> by_site;  // [N, D]
};

// Of every question of `split` about `people`.
absl::StatusOr<QuestionResiduals> CollectQuestions(
    const Transformer& model, const Tokenizer& tokenizer, const EvalSet& set,
    const std::vector<int>& people, Split split, const std::vector<int>& sites);

// Training data at one of the collected sites, on `device`.
SaeDataset DatasetAt(const QuestionResiduals& questions, int site,
                     int relations, at::Device device);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_DATA_H_
