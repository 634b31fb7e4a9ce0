#include "model/sae/written.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

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

constexpr char kTensor[] = "class_means";
// Slots are encoded in float32, whose sums another machine adds in another
// order.
constexpr double kRecomputed = 1e-4;

at::Tensor Exact(const at::Tensor& values) {
  return values.to(at::kCPU, at::kDouble);
}

std::vector<WriteCertificate> Measure(const Sae& sae,
                                      const at::Tensor& class_means) {
  at::NoGradGuard no_grad;
  const at::Tensor on_device =
      class_means.to(sae.concept_decoder().device(), at::kFloat);
  const at::Tensor z = Exact(sae.ConceptActivate(sae.ConceptPre(on_device)));
  const at::Tensor directions = Exact(sae.concept_decoder());  // [R, D]
  const at::Tensor means = Exact(on_device);
  const at::Tensor wanted = means - means.mean(0, /*keepdim=*/true);
  const at::Tensor written =
      sae.config().scale *
      at::matmul(z - z.mean(0, /*keepdim=*/true), directions);
  const at::Tensor along = (directions * wanted).sum(1).contiguous();  // [R]
  const at::Tensor share = (written * wanted).sum(1).contiguous();
  const at::Tensor squares = (wanted * wanted).sum(1).contiguous();
  const at::Tensor norms = directions.norm(2, /*dim=*/1).contiguous();
  std::vector<WriteCertificate> certificates(sae.concept_count());
  for (size_t r = 0; r < certificates.size(); ++r) {
    const double square = squares.data_ptr<double>()[r];
    if (!(square > 0)) continue;
    const double cosine = along.data_ptr<double>()[r] /
                          (norms.data_ptr<double>()[r] * std::sqrt(square));
    certificates[r].cosine = std::clamp(cosine, -1.0, 1.0);
    certificates[r].written_share = share.data_ptr<double>()[r] / square;
  }
  return certificates;
}

absl::StatusOr<at::Tensor> ReadClassMeans(const std::string& path,
                                          const Sae& sae) {
  ALIGNSAE_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(path));
  return WithTorchFence([&] {
    return ReadFloatTensor(file, kTensor,
                           {sae.concept_count(), sae.config().d_model});
  });
}

absl::Status CheckFigure(const std::string& field, double expected,
                         double got) {
  if (std::abs(expected - got) <=
      kRecomputed * std::max(1.0, std::abs(expected))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      field, ": must be ", ShowNumber(expected), " as the weights and ",
      kClassMeansFile, " give, got ", ShowNumber(got)));
}

}  // namespace

absl::StatusOr<std::vector<WriteCertificate>> MeasureWritten(
    const Sae& sae, const at::Tensor& class_means) {
  const std::vector<int64_t> shape = {sae.concept_count(),
                                      sae.config().d_model};
  if (class_means.sizes() != at::IntArrayRef(shape)) {
    return absl::InvalidArgumentError(absl::StrCat(
        kTensor, ": must have shape [", absl::StrJoin(shape, ", "), "], got [",
        absl::StrJoin(class_means.sizes(), ", "), "]"));
  }
  return WithTorchFence([&]() -> absl::StatusOr<std::vector<WriteCertificate>> {
    if (!class_means.isfinite().all().item<bool>()) {
      return absl::InvalidArgumentError(
          absl::StrCat(kTensor, ": must be finite"));
    }
    return Measure(sae, class_means);
  });
}

absl::Status SaveClassMeans(const std::string& directory,
                            const at::Tensor& class_means) {
  return WithTorchFence([&] {
    return WriteTensors(
        absl::StrCat(directory, "/", kClassMeansFile),
        {{kTensor, class_means.to(at::kCPU, at::kFloat).contiguous()}},
        {{"format", "pt"}});
  });
}

absl::Status CheckCertificates(const std::string& directory, const Sae& sae) {
  const std::vector<Concept>& concepts = sae.config().concepts;
  const auto certified = std::find_if(
      concepts.begin(), concepts.end(),
      [](const Concept& entry) { return entry.certificate.has_value(); });
  if (certified == concepts.end()) return absl::OkStatus();
  const std::string path = absl::StrCat(directory, "/", kClassMeansFile);
  if (!FileExists(path)) {
    return absl::NotFoundError(
        absl::StrCat(path, ": must be there for the certificates in cfg.json"));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor means, ReadClassMeans(path, sae));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<WriteCertificate> measured,
                            MeasureWritten(sae, means));
  for (size_t r = 0; r < concepts.size(); ++r) {
    if (!concepts[r].certificate) continue;
    const std::string place = absl::StrCat(
        directory, "/cfg.json: alignsae.concepts[", r, "].certificate.");
    ALIGNSAE_RETURN_IF_ERROR(CheckFigure(place + "cosine", measured[r].cosine,
                                         concepts[r].certificate->cosine));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckFigure(place + "written_share", measured[r].written_share,
                    concepts[r].certificate->written_share));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
