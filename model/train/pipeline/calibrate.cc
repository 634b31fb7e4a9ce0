#include "model/train/pipeline/calibrate.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/sae/saelens.h"
#include "model/tensor/torch_fence.h"
#include "model/train/data/prompt_file.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/sae/calibration.h"
#include "model/train/sae/data.h"
#include "model/train/sae/losses.h"
#include "model/train/sae/separation.h"

namespace alignsae {
namespace {

// Prompts whose features are held at once: 256 of 100,000 take 100 MB.
constexpr int64_t kChunk = 256;

// z of some features: [N, R].
at::Tensor ValuesOf(const Sae& sae, const at::Tensor& h,
                    const std::vector<int>& features) {
  const at::Tensor slots =
      at::tensor(std::vector<int64_t>(features.begin(), features.end()),
                 at::kLong)
          .to(h.device());
  std::vector<at::Tensor> parts;
  for (int64_t begin = 0; begin < h.size(0); begin += kChunk) {
    const at::Tensor rows =
        h.narrow(0, begin, std::min(kChunk, h.size(0) - begin));
    parts.push_back(sae.Encode(rows).index_select(1, slots));
  }
  return at::cat(parts);
}

struct Residuals {
  at::Tensor h;            // [N, D]
  at::Tensor has_concept;  // [N, R] bool
};

absl::StatusOr<Residuals> Collect(const Bundle& bundle, const PromptSet& set,
                                  Split split) {
  const TransformerFacts& facts = bundle.model->facts();
  const HookPoint& hook = bundle.saes.front().config().hook;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<PositionedPrompt> located,
      TokenizePrompts(set, *bundle.tokenizer, facts.context_length,
                      facts.vocab_size, bundle.catalog->model.bos_token_id));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const QuestionResiduals residuals,
      CollectPrompts(*bundle.model, *bundle.tokenizer, set, located, split,
                     {hook}, TrainedPositions::kAll));
  return Residuals{residuals.by_hook.at(hook), residuals.has_concept};
}

std::vector<CalibratedFeature> ChooseFeatures(const Sae& sae,
                                              const PromptSet& set,
                                              const Residuals& train,
                                              const Residuals& validation) {
  at::NoGradGuard no_grad;
  FeatureSeparation separation;
  for (int64_t begin = 0; begin < train.h.size(0); begin += kChunk) {
    const int64_t rows = std::min(kChunk, train.h.size(0) - begin);
    separation.Add(sae.Encode(train.h.narrow(0, begin, rows)),
                   train.has_concept.narrow(0, begin, rows));
  }
  const at::Tensor scores = separation.Scores();
  const std::vector<int> features = BestDistinctFeatures(scores);
  const std::vector<ConceptCalibration> calibrations = CalibrateConcepts(
      ValuesOf(sae, train.h, features), train.has_concept,
      ValuesOf(sae, validation.h, features), validation.has_concept);
  std::vector<CalibratedFeature> calibrated(features.size());
  for (size_t r = 0; r < features.size(); ++r) {
    const int64_t row = static_cast<int64_t>(r);
    calibrated[r].entry.name = set.concepts[r];
    calibrated[r].entry.slot = features[r];
    calibrated[r].entry.active_mean = calibrations[r].active_mean;
    calibrated[r].entry.threshold = calibrations[r].threshold;
    calibrated[r].separation = scores[row][features[r]].item<double>();
    calibrated[r].youden = calibrations[r].youden;
  }
  return calibrated;
}

// A feature that does not rise where its concept is asked reads and writes
// nothing.
absl::Status CheckTold(const std::vector<CalibratedFeature>& features) {
  std::vector<std::string> silent;
  for (const CalibratedFeature& feature : features) {
    if (feature.entry.active_mean > 0 && feature.youden > 0) continue;
    silent.push_back(feature.entry.name);
  }
  if (silent.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "concepts: must each have a feature that is higher on their own "
      "validation prompts than on others, got none for ",
      absl::StrJoin(silent, ", ")));
}

absl::Status CheckForeign(const std::string& directory, const Sae& sae) {
  if (sae.config().slots_act_alike) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory,
      "/cfg.json: must be that of a checkpoint of SAELens, got one of "
      "alignsae-train, whose concepts are calibrated when it is trained"));
}

absl::Status Write(const Calibration& calibration,
                   const std::vector<CalibratedFeature>& features) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(calibration.out));
  for (const char* name : {"/cfg.json", "/sae_weights.safetensors"}) {
    std::error_code error;
    std::filesystem::copy_file(
        calibration.sae_directory + name, calibration.out + name,
        std::filesystem::copy_options::overwrite_existing, error);
    if (error) {
      return PosixError(calibration.out + name, "write", error.value());
    }
  }
  std::vector<Concept> concepts;
  for (const CalibratedFeature& feature : features) {
    concepts.push_back(feature.entry);
  }
  return WriteFileAtomically(absl::StrCat(calibration.out, "/", kLabelsFile),
                             FeatureLabelsToJsonl(concepts));
}

}  // namespace

absl::StatusOr<std::vector<CalibratedFeature>> Calibrate(
    const Calibration& calibration) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const PromptSet set,
      ReadPrompts(calibration.prompts, calibration.split_seed));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Bundle> bundle,
      LoadParts(calibration.model_directory, {calibration.sae_directory},
                {.whole_sae = true, .verify_hashes = false}));
  const Sae& sae = bundle->saes.front();
  ALIGNSAE_RETURN_IF_ERROR(CheckForeign(calibration.sae_directory, sae));
  if (sae.config().n_features < static_cast<int>(set.concepts.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("concepts: must be at most ", sae.config().n_features,
                     ", the features, got ", set.concepts.size()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const Residuals train,
                            Collect(*bundle, set, Split::kSaeTrain));
  ALIGNSAE_ASSIGN_OR_RETURN(const Residuals validation,
                            Collect(*bundle, set, Split::kValidation));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<CalibratedFeature> features, WithTorchFence([&] {
        return ChooseFeatures(sae, set, train, validation);
      }));
  ALIGNSAE_RETURN_IF_ERROR(CheckTold(features));
  ALIGNSAE_RETURN_IF_ERROR(Write(calibration, features));
  return features;
}

}  // namespace alignsae
