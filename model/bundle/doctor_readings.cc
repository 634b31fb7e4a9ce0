#include "model/bundle/doctor_readings.h"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <utility>

#include "absl/types/span.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {
namespace {

// Keeps the last row's residual of one prompt at every place.
class LastTokenHook : public ResidualHook {
 public:
  LastTokenHook(int n_layer,
                std::map<HookPoint, std::vector<at::Tensor>, PlaceOrder>* kept)
      : n_layer_(n_layer), kept_(kept) {}

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    Keep(site < n_layer_ ? HookPoint{HookKind::kResidPre, site}
                         : HookPoint{HookKind::kResidPost, site - 1},
         residual);
  }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& part) override {
    Keep(hook, part);
  }
  bool WantsInside(int layer) const override { return true; }

 private:
  void Keep(const HookPoint& hook, const at::Tensor& x) {
    (*kept_)[hook].push_back(x.select(0, x.size(0) - 1).clone());
  }

  const int n_layer_;
  std::map<HookPoint, std::vector<at::Tensor>, PlaceOrder>* const kept_;
};

at::Tensor Double(const at::Tensor& x) { return x.to(at::kCPU, at::kDouble); }

}  // namespace

DoctorResiduals ResidualsOf(const Transformer& model,
                            const std::vector<std::vector<int32_t>>& prompts) {
  at::NoGradGuard no_grad;
  const TransformerFacts& facts = model.facts();
  KvCache cache(facts, /*slots=*/1, model.device(), model.kv_type());
  std::map<HookPoint, std::vector<at::Tensor>, PlaceOrder> kept;
  LastTokenHook hook(facts.n_layer, &kept);
  for (const std::vector<int32_t>& prompt : prompts) {
    PackedRow row;
    row.length = static_cast<int>(prompt.size());
    row.exit_site = facts.n_layer;
    model.BeforeHead(prompt, {row}, cache, &hook);
  }
  DoctorResiduals residuals;
  for (auto& [place, rows] : kept) residuals[place] = at::stack(rows);
  return residuals;
}

DoctorReadings ReadingsOf(const Sae& sae, const at::Tensor& residuals) {
  at::NoGradGuard no_grad;
  const at::Tensor pre = sae.ConceptPre(residuals);
  DoctorReadings readings;
  readings.pre = Double(pre);
  readings.values = Double(sae.ConceptActivate(pre));
  readings.residual_norm = Double(residuals).norm(2, {1});
  if (!sae.whole()) return readings;
  const at::Tensor error = sae.Decode(sae.Encode(residuals)) - residuals;
  readings.reconstruction_error =
      Double(error).norm(2, {1}) / readings.residual_norm.clamp_min(1e-30);
  return readings;
}

double Deviation(const at::Tensor& now, const at::Tensor& recorded) {
  if (recorded.numel() == 0) return 0;
  const double deviation =
      ((now - recorded).norm() / recorded.norm().clamp_min(1e-30))
          .item<double>();
  return std::isfinite(deviation) ? deviation
                                  : std::numeric_limits<double>::infinity();
}

}  // namespace alignsae
