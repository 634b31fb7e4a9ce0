#include "model/sae/outside_gate.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

absl::Status Refuse(absl::string_view tensor, absl::string_view rule,
                    absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat(tensor, ": must be ", rule, ", got ", got));
}

absl::Status CheckMatrix(absl::string_view name, const at::Tensor& values,
                         int64_t width) {
  if (values.dim() != 2 || values.size(1) != width) {
    return Refuse(name, absl::StrCat("of shape [.., ", width, "]"),
                  absl::StrCat("[", absl::StrJoin(values.sizes(), ", "), "]"));
  }
  if (!values.isfinite().all().item<bool>()) {
    return Refuse(name, "finite", "another value");
  }
  return absl::OkStatus();
}

absl::Status CheckPositive(absl::string_view name, double value) {
  if (std::isfinite(value) && value > 0) return absl::OkStatus();
  return Refuse(name, "finite and above 0", ShowNumber(value));
}

absl::Status CheckNormal(absl::string_view name, const LowRankNormal& normal,
                         int64_t width) {
  const std::string prefix = absl::StrCat(name, "_");
  ALIGNSAE_RETURN_IF_ERROR(CheckMatrix(prefix + "means", normal.means, width));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckMatrix(prefix + "directions", normal.directions, width));
  // Above 1 a distance could be the root of a negative number.
  const at::Tensor norms = normal.directions.to(at::kDouble).norm(2, {1});
  if (norms.numel() > 0 && norms.max().item<double>() > 1 + 1e-4) {
    return Refuse(prefix + "directions", "of norm 1 at most",
                  ShowNumber(norms.max().item<double>()));
  }
  return CheckPositive(prefix + "spread", normal.spread);
}

// [N], squared. Differences are taken before squares: residuals are far from
// the origin and near each other.
at::Tensor SquaredDistance(const LowRankNormal& normal, const at::Tensor& h) {
  const auto squares = [](const at::Tensor& a, const at::Tensor& b) {
    // Mode 2: not by matrix products.
    return at::cdist(a, b, /*p=*/2, /*compute_mode=*/2).square();  // [N, M]
  };
  at::Tensor distance = squares(h, normal.means);
  if (normal.directions.size(0) > 0) {
    const at::Tensor turned = normal.directions.t();  // [D, k]
    distance = distance -
               squares(at::matmul(h, turned), at::matmul(normal.means, turned));
  }
  return distance.amin(1).clamp_min(0).div(normal.spread * normal.spread);
}

LowRankNormal On(const LowRankNormal& normal, at::Device device) {
  return {normal.means.to(device, at::kFloat).contiguous(),
          normal.directions.to(device, at::kFloat).contiguous(), normal.spread};
}

absl::StatusOr<double> ReadNumber(const SafetensorsFile& file,
                                  const std::string& name) {
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor value,
                            ReadFloatTensor(file, name, {1}));
  return value.item<double>();
}

absl::StatusOr<LowRankNormal> ReadNormal(const SafetensorsFile& file,
                                         const std::string& name, int64_t means,
                                         int64_t width) {
  LowRankNormal normal;
  ALIGNSAE_ASSIGN_OR_RETURN(
      normal.means, ReadFloatTensor(file, name + "_means", {means, width}));
  const std::string directions = name + "_directions";
  const TensorEntry* entry = file.Find(directions);
  const int64_t rank =
      entry == nullptr || entry->shape.empty() ? 0 : entry->shape[0];
  ALIGNSAE_ASSIGN_OR_RETURN(normal.directions,
                            ReadFloatTensor(file, directions, {rank, width}));
  ALIGNSAE_ASSIGN_OR_RETURN(normal.spread, ReadNumber(file, name + "_spread"));
  return normal;
}

at::Tensor Number(double value) {
  return at::full({1}, value, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace

OutsideGate::OutsideGate(LowRankNormal known, LowRankNormal background,
                         double limit)
    : known_(std::move(known)),
      background_(std::move(background)),
      limit_(limit) {}

absl::StatusOr<OutsideGate> OutsideGate::Make(const LowRankNormal& known,
                                              const LowRankNormal& background,
                                              double limit) {
  return WithTorchFence([&]() -> absl::StatusOr<OutsideGate> {
    const int64_t width = known.means.dim() == 2 ? known.means.size(1) : 0;
    ALIGNSAE_RETURN_IF_ERROR(CheckNormal("known", known, width));
    ALIGNSAE_RETURN_IF_ERROR(CheckNormal("background", background, width));
    ALIGNSAE_RETURN_IF_ERROR(CheckPositive("limit", limit));
    const at::Device device = known.means.device();
    return OutsideGate(On(known, device), On(background, device), limit);
  });
}

absl::StatusOr<std::optional<OutsideGate>> OutsideGate::Load(
    const std::string& directory, int concepts, int d_model,
    at::Device device) {
  const std::string path = absl::StrCat(directory, "/", kGateFile);
  if (!FileExists(path)) return std::nullopt;
  ALIGNSAE_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(path));
  return WithTorchFence([&]() -> absl::StatusOr<std::optional<OutsideGate>> {
    ALIGNSAE_ASSIGN_OR_RETURN(LowRankNormal known,
                              ReadNormal(file, "known", concepts, d_model));
    ALIGNSAE_ASSIGN_OR_RETURN(LowRankNormal background,
                              ReadNormal(file, "background", 1, d_model));
    ALIGNSAE_ASSIGN_OR_RETURN(const double limit, ReadNumber(file, "limit"));
    absl::StatusOr<OutsideGate> gate =
        Make(On(known, device), On(background, device), limit);
    if (gate.ok()) return *std::move(gate);
    return absl::Status(gate.status().code(),
                        absl::StrCat(path, ": ", gate.status().message()));
  });
}

absl::Status OutsideGate::Save(const std::string& directory) const {
  return WithTorchFence([&] {
    const auto here = [](const at::Tensor& values) {
      return values.to(at::kCPU).contiguous();
    };
    return WriteTensors(
        absl::StrCat(directory, "/", kGateFile),
        {{"known_means", here(known_.means)},
         {"known_directions", here(known_.directions)},
         {"known_spread", Number(known_.spread)},
         {"background_means", here(background_.means)},
         {"background_directions", here(background_.directions)},
         {"background_spread", Number(background_.spread)},
         {"limit", Number(limit_)}},
        {{"format", "pt"}});
  });
}

at::Tensor OutsideGate::Ratio(const at::Tensor& h) const {
  const at::Tensor rows = h.to(at::kFloat);
  const at::Tensor known = SquaredDistance(known_, rows);
  const at::Tensor background = SquaredDistance(background_, rows);
  return known.div(background.clamp_min(1e-12)).sqrt().div(limit_);
}

}  // namespace alignsae
