#include "model/train/study/cell_checkpoint.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/random_order.h"
#include "model/train/eval/baseline_checkpoints.h"

namespace alignsae {
namespace {

QuestionResiduals FewOf(const QuestionResiduals& questions, int concepts,
                        int per_concept, CounterRng rng) {
  const int rows = static_cast<int>(questions.labels.size(0));
  std::vector<int> left(concepts, per_concept);
  std::vector<int64_t> chosen;
  for (int row : Permutation(rng, rows)) {
    const int64_t label = questions.labels[row].item<int64_t>();
    if (label >= 0 && left[label]-- <= 0) continue;
    chosen.push_back(row);
  }
  const at::Tensor index = at::tensor(chosen, at::kLong);
  QuestionResiduals few;
  few.labels = questions.labels.index_select(0, index);
  few.first_tokens = questions.first_tokens.index_select(0, index);
  if (questions.has_concept.defined()) {
    few.has_concept = questions.has_concept.index_select(0, index);
  }
  for (const auto& [hook, h] : questions.by_hook) {
    few.by_hook[hook] = h.index_select(0, index);
  }
  return few;
}

// Concept slots that write where chance points.
absl::StatusOr<Sae> WithRandomDirections(const Sae& sae, uint64_t seed) {
  SaeWeights weights = sae.weights();
  weights.w_dec = weights.w_dec.clone();
  at::Generator generator = at::detail::createCPUGenerator(
      RandomStream(seed, RandomPurpose::kSaeWeights, 2).NextBits());
  for (const Concept& entry : sae.config().concepts) {
    at::Tensor row = weights.w_dec[entry.slot];
    const at::Tensor direction = at::randn(row.sizes(), generator);
    row.copy_(direction * (row.norm() / direction.norm()));
  }
  return Sae::FromWeights(sae.config(), weights);
}

}  // namespace

SaeInputs WithFewLabels(const SaeInputs& inputs, int per_concept,
                        uint64_t seed) {
  if (per_concept == 0) return inputs;
  const int concepts = static_cast<int>(inputs.relations.size());
  SaeInputs few = inputs;
  uint64_t stream = 0;
  for (QuestionResiduals* part : {&few.train, &few.validation}) {
    *part = FewOf(*part, concepts, per_concept,
                  RandomStream(seed, RandomPurpose::kStudyLabels, stream++));
  }
  return few;
}

absl::StatusOr<Sae> MakeCellCheckpoint(const StudyCell& cell,
                                       const EvalInputs& people,
                                       const SaeInputs& inputs,
                                       const SaePlan& sae) {
  if (cell.own.labels > 0 && inputs.train.prompts.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels: must be 0 with span mean, where a prompt is "
                     "several rows, got ",
                     cell.own.labels));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SaeInputs few, WithTorchFence([&]() -> absl::StatusOr<SaeInputs> {
        return WithFewLabels(inputs, cell.own.labels, cell.sae.seed);
      }));
  const std::string& method = cell.own.method;
  if (method != "sae" && method != "random_directions") {
    return MakeBaselineCheckpoint(method, people, few,
                                  {.sae = sae, .eval = cell.eval});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(Sae made, MakeSae(few, sae));
  if (method == "sae") return made;
  return WithTorchFence(
      [&] { return WithRandomDirections(made, cell.sae.seed); });
}

}  // namespace alignsae
