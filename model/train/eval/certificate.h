// Write certificates of a checkpoint (model/steering/write_certificate.h): what
// its slots write of the differences between classes, from residuals of test
// prompts at its hook, and the swaps that an evaluation on the same prompts has
// counted; with the second gate of its readings where there are prompts that
// ask none of the concepts (outside.h).
//
// Letters: D d_model, R concepts.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT for a concept without a prompt; those of
// CollectQuestions and CollectPrompts.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_CERTIFICATE_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_CERTIFICATE_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/sae/sae.h"
#include "model/steering/concept.h"
#include "model/steering/validation_prompt.h"
#include "model/train/data/negatives.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/outside.h"
#include "model/train/eval/subject.h"
#include "model/train/sae/data.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct Certified {
  at::Tensor class_means;                      // [R, D] float32, on the CPU.
  std::vector<WriteCertificate> certificates;  // In concept order.
  GatedCheckpoint gated;
  // What the bundle stores to have the checkpoint checked while it is served.
  std::vector<ValidationPrompt> validation;
};

// Of residuals at the hook of `sae`, without measured swaps.
absl::StatusOr<Certified> CertifyResiduals(const Sae& sae,
                                           const QuestionResiduals& questions);

// On the test wordings of `inputs.set`, whose relations are the concepts.
// `evaluation` (eval.h) has the swaps and how many people it asked about; where
// it has none, all people give the class means. No gate without negatives.
absl::StatusOr<Certified> CertifyOnPeople(
    const EvalInputs& inputs, const Sae& sae, const nlohmann::json& evaluation,
    const std::vector<Negative>& negatives = {});

// On the test split of `set`, whose concepts are the checkpoint's.
// evaluation["prompts"] (prompt_eval.h) has the swaps.
absl::StatusOr<Certified> CertifyOnPrompts(const EvalInputs& inputs,
                                           const Sae& sae, const PromptSet& set,
                                           const nlohmann::json& evaluation);

// As a table for people; "-" where a concept has no certificate.
std::string RenderCertificates(absl::Span<const Concept> concepts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_CERTIFICATE_H_
