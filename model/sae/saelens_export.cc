#include "model/sae/saelens_export.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/io/tensor_file.h"
#include "model/sae/saelens.h"
#include "model/tensor/torch_fence.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

// From here on cfg.json has a "metadata" object; a file without a version is
// read as one of before.
constexpr char kLayoutVersion[] = "6.0.0";

absl::StatusOr<std::string> ArchitectureFor(const SaeConfig& config) {
  switch (config.activation) {
    case SaeActivation::kRelu:
      return "standard";
    case SaeActivation::kJumpRelu:
      return "jumprelu";
    case SaeActivation::kTopK:
      if (config.concepts.empty()) return "topk";
      return absl::FailedPreconditionError(
          "activation: must be relu or jumprelu where concept slots are always "
          "kept, got topk; SAELens has no such architecture");
    case SaeActivation::kIdentity:
      break;
  }
  return absl::FailedPreconditionError(
      "activation: must be relu, topk or jumprelu, got identity; SAELens has "
      "no "
      "such architecture");
}

std::string ConfigText(const SaeConfig& config,
                       const std::string& architecture) {
  nlohmann::ordered_json root;
  root["d_in"] = config.d_model;
  root["d_sae"] = config.n_features;
  root["dtype"] = "float32";
  root["device"] = "cpu";
  root["apply_b_dec_to_input"] = false;
  root["normalize_activations"] = "none";
  root["reshape_activations"] = "none";
  root["metadata"] = {{"sae_lens_version", kLayoutVersion},
                      {"hook_name", HookName(config.hook)},
                      {"prepend_bos", config.prepend_bos}};
  root["architecture"] = architecture;
  if (config.activation == SaeActivation::kTopK) {
    root["k"] = config.k;
    root["rescale_acts_by_decoder_norm"] = false;
  }
  return root.dump(2) + "\n";
}

absl::Status WriteWeights(const Sae& sae, const std::string& path) {
  const SaeWeights& w = sae.weights();
  const double scale = sae.config().scale;
  return WithTorchFence([&]() -> absl::Status {
    std::vector<std::pair<std::string, at::Tensor>> tensors = {
        {"W_enc", w.w_enc.div(scale)},
        {"b_enc", w.b_enc},
        {"W_dec", w.w_dec.mul(scale)},
        {"b_dec", w.b_dec.mul(scale)}};
    if (w.threshold.defined()) {
      at::Tensor threshold = w.threshold.clone();
      if (!sae.config().slots_act_alike) {
        threshold.index_fill_(0, sae.concept_slots(), 0);
      }
      tensors.emplace_back("threshold", threshold);
    }
    return WriteTensors(path, tensors, {});
  });
}

}  // namespace

absl::Status ExportToSaeLens(const Sae& sae, const std::string& directory) {
  const SaeConfig& config = sae.config();
  if (!sae.whole()) {
    return absl::InvalidArgumentError("SAE: must be loaded whole");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string architecture,
                            ArchitectureFor(config));
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  ALIGNSAE_RETURN_IF_ERROR(
      WriteWeights(sae, absl::StrCat(directory, "/sae_weights.safetensors")));
  if (!config.concepts.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(directory, "/", kLabelsFile),
                            FeatureLabelsToJsonl(config.concepts)));
  }
  return WriteFileAtomically(directory + "/cfg.json",
                             ConfigText(config, architecture));
}

}  // namespace alignsae
