// Sae::Load and SaveSae: the checkpoint directory.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/sae/sae.h"
#include "model/sae/saelens.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxConfigBytes = int64_t{16} << 20;
constexpr absl::string_view kScalingFactor = "scaling_factor";

std::string ConfigPath(const std::string& directory) {
  return absl::StrCat(directory, "/cfg.json");
}
std::string WeightsPath(const std::string& directory) {
  return absl::StrCat(directory, "/sae_weights.safetensors");
}

absl::StatusOr<SaeConfig> ReadConfig(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json,
                            ReadFile(ConfigPath(directory), kMaxConfigBytes));
  absl::StatusOr<SaeConfig> config = ParseSaeConfig(json);
  if (config.ok()) return config;
  return absl::Status(config.status().code(),
                      absl::StrCat(directory, "/", config.status().message()));
}

// The names of the features, of a checkpoint of SAELens.
absl::Status ReadLabels(const std::string& directory, SaeConfig& config) {
  const std::string path = absl::StrCat(directory, "/", kLabelsFile);
  if (!config.slots_act_alike || !FileExists(path)) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string jsonl, ReadFile(path));
  absl::StatusOr<std::vector<Concept>> labels =
      ParseFeatureLabels(jsonl, config.n_features);
  if (!labels.ok()) {
    return absl::Status(
        labels.status().code(),
        absl::StrCat(directory, "/", labels.status().message()));
  }
  config.concepts = *std::move(labels);
  absl::Status checked = CheckSaeConfig(config);
  if (checked.ok()) return checked;
  return absl::Status(checked.code(),
                      absl::StrCat(directory, "/", checked.message()));
}

// The folding into weights [D, n], [n], [n, D] of some or all features; b_dec
// is [D].
void Fold(const SaeFolding& folding, const at::Tensor& b_dec, at::Tensor& w_enc,
          at::Tensor& b_enc, at::Tensor& w_dec) {
  if (folding.subtract_b_dec) {
    b_enc = b_enc - at::matmul(b_dec, w_enc);
  }
  if (folding.center_input) {
    w_enc = w_enc - w_enc.mean(/*dim=*/0, /*keepdim=*/true);
  }
  if (folding.decoder_norms) {
    const at::Tensor norms = w_dec.norm(2, /*dim=*/1);  // [n]
    w_enc = w_enc * norms;
    b_enc = b_enc * norms;
    w_dec = w_dec / norms.unsqueeze(1).clamp_min(1e-30);
  }
}

struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
};

std::vector<ExpectedTensor> ExpectedTensors(const SaeConfig& config) {
  const int64_t d = config.d_model;
  const int64_t f = config.n_features;
  std::vector<ExpectedTensor> expected = {
      {"W_enc", {d, f}}, {"b_enc", {f}}, {"W_dec", {f, d}}, {"b_dec", {d}}};
  if (config.activation == SaeActivation::kJumpRelu) {
    expected.push_back({"threshold", {f}});
  }
  return expected;
}

absl::Status TensorError(const SafetensorsFile& file, absl::string_view name,
                         absl::StatusCode code, absl::string_view rule) {
  return absl::Status(
      code, absl::StrCat(file.path(), ": tensor ", Quoted(name), ": ", rule));
}

// Missing, mis-shaped and extra tensors, from the header alone, so that a
// concept-only load refuses the same files as a whole one.
absl::Status CheckHeader(const SafetensorsFile& file, const SaeConfig& config) {
  const std::vector<ExpectedTensor> expected = ExpectedTensors(config);
  std::vector<std::string> names;
  for (const ExpectedTensor& tensor : expected) {
    names.push_back(tensor.name);
    const TensorEntry* entry = file.Find(tensor.name);
    if (entry == nullptr) {
      return TensorError(file, tensor.name, absl::StatusCode::kNotFound,
                         "must be in the file");
    }
    if (entry->shape != tensor.shape) {
      return TensorError(
          file, tensor.name, absl::StatusCode::kInvalidArgument,
          absl::StrCat("must have shape [", absl::StrJoin(tensor.shape, ", "),
                       "], got [", absl::StrJoin(entry->shape, ", "), "]"));
    }
    if (entry->dtype != DType::kF32 && entry->dtype != DType::kF16 &&
        entry->dtype != DType::kBF16) {
      return TensorError(file, tensor.name, absl::StatusCode::kInvalidArgument,
                         absl::StrCat("must have dtype F32, F16 or BF16, got ",
                                      DTypeName(entry->dtype)));
    }
  }
  for (const auto& [name, entry] : file.header().tensors) {
    if (name == kScalingFactor && config.slots_act_alike) continue;
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return TensorError(
          file, name, absl::StatusCode::kInvalidArgument,
          absl::StrCat("must be one of ", absl::StrJoin(names, ", "), " for ",
                       SaeActivationName(config.activation),
                       ", got another name"));
    }
  }
  return absl::OkStatus();
}

// Factors of an old fine-tuning; files have it, full of ones, without any.
absl::Status CheckScalingFactor(const SafetensorsFile& file,
                                const SaeConfig& config) {
  const std::string name(kScalingFactor);
  if (!config.slots_act_alike || file.Find(name) == nullptr) {
    return absl::OkStatus();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor factors,
                            ReadFloatTensor(file, name, {config.n_features}));
  if (factors.eq(1).all().item<bool>()) return absl::OkStatus();
  return TensorError(file, name, absl::StatusCode::kInvalidArgument,
                     "must be all ones; fold the factors into W_dec before "
                     "saving");
}

absl::StatusOr<SaeWeights> ReadWhole(const SafetensorsFile& file,
                                     const SaeConfig& config,
                                     at::Device device) {
  SaeWeights weights;
  for (const ExpectedTensor& tensor : ExpectedTensors(config)) {
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor values,
                              ReadFloatTensor(file, tensor.name, tensor.shape));
    at::Tensor& home = tensor.name == "W_enc"   ? weights.w_enc
                       : tensor.name == "b_enc" ? weights.b_enc
                       : tensor.name == "W_dec" ? weights.w_dec
                       : tensor.name == "b_dec" ? weights.b_dec
                                                : weights.threshold;
    home = values.to(device);
  }
  return weights;
}

// Entries of a vector [F] without the others -> [entries].
absl::StatusOr<at::Tensor> ReadEntries(const SafetensorsFile& file,
                                       const std::string& name,
                                       absl::Span<const int64_t> entries) {
  const TensorEntry& entry = *file.Find(name);  // CheckHeader saw it.
  const at::ScalarType dtype = entry.dtype == DType::kF32   ? at::kFloat
                               : entry.dtype == DType::kF16 ? at::kHalf
                                                            : at::kBFloat16;
  const size_t bytes = static_cast<size_t>(DTypeBytes(entry.dtype));
  at::Tensor values = at::empty({static_cast<int64_t>(entries.size())}, dtype);
  char* data = static_cast<char*>(values.data_ptr());
  for (size_t i = 0; i < entries.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(
        file.ReadBytes(entry, static_cast<uint64_t>(entries[i]) * bytes,
                       absl::MakeSpan(data + i * bytes, bytes)));
  }
  return values.to(at::kFloat);
}

}  // namespace

absl::StatusOr<Sae> Sae::Load(const std::string& directory, LoadMode mode,
                              at::Device device) {
  Sae sae;
  ALIGNSAE_ASSIGN_OR_RETURN(sae.config_, ReadConfig(directory));
  ALIGNSAE_RETURN_IF_ERROR(ReadLabels(directory, sae.config_));
  const SaeConfig& config = sae.config_;
  ALIGNSAE_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(WeightsPath(directory)));
  ALIGNSAE_RETURN_IF_ERROR(CheckHeader(file, config));
  const std::string source = absl::StrCat(file.path(), ": ");
  if (!config.concepts.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        sae.gate_,
        OutsideGate::Load(directory, static_cast<int>(config.concepts.size()),
                          config.d_model, device));
  }
  return WithTorchFence([&]() -> absl::StatusOr<Sae> {
    ALIGNSAE_RETURN_IF_ERROR(CheckScalingFactor(file, config));
    const SaeFolding folding = std::exchange(sae.config_.folding, {});
    if (mode == LoadMode::kWhole || config.concepts.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(sae.weights_, ReadWhole(file, config, device));
      SaeWeights& w = sae.weights_;
      Fold(folding, w.b_dec, w.w_enc, w.b_enc, w.w_dec);
      return Build(std::move(sae), source);
    }
    std::vector<int64_t> slots;
    for (const Concept& entry : config.concepts) slots.push_back(entry.slot);
    const int64_t d = config.d_model;
    const int64_t f = config.n_features;
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor w_enc,
                              ReadColumns(file, "W_enc", slots, {d, f}));
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor b_enc,
                              ReadEntries(file, "b_enc", slots));
    ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor w_dec,
                              ReadRows(file, "W_dec", slots, {f, d}));
    ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor b_dec,
                              ReadFloatTensor(file, "b_dec", {d}));
    Fold(folding, b_dec, w_enc, b_enc, w_dec);
    if (config.slots_act_alike &&
        config.activation == SaeActivation::kJumpRelu) {
      ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor threshold,
                                ReadEntries(file, "threshold", slots));
      sae.concept_threshold_ = threshold.to(device);
    }
    sae.concept_w_enc_ = w_enc.to(device);
    sae.concept_b_enc_ = b_enc.to(device);
    sae.concept_w_dec_ = w_dec.to(device);
    return Build(std::move(sae), source);
  });
}

absl::Status SaveSae(const std::string& directory, const SaeConfig& config,
                     const SaeWeights& weights) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeConfig(config));
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeShapes(config, weights));
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  return WithTorchFence([&]() -> absl::Status {
    const auto stored = [](const at::Tensor& values) {
      return values.detach().to(at::kCPU, at::kFloat).contiguous();
    };
    std::vector<std::pair<std::string, at::Tensor>> tensors = {
        {"W_enc", stored(weights.w_enc)},
        {"b_enc", stored(weights.b_enc)},
        {"W_dec", stored(weights.w_dec)},
        {"b_dec", stored(weights.b_dec)}};
    if (weights.threshold.defined()) {
      tensors.emplace_back("threshold", stored(weights.threshold));
    }
    // Weights first: a directory with cfg.json is complete.
    ALIGNSAE_RETURN_IF_ERROR(
        WriteTensors(WeightsPath(directory), tensors, {{"format", "pt"}}));
    return WriteFileAtomically(ConfigPath(directory), SaeConfigToJson(config));
  });
}

}  // namespace alignsae
