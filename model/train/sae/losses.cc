#include "model/train/sae/losses.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

// Keeps the gradient of a standard deviation finite where a feature is silent
// in the whole batch; far below any variance that matters at mean norm 1.
constexpr double kVarianceFloor = 1e-8;

at::Tensor Centred(const at::Tensor& z) { return z - z.mean(0, true); }

}  // namespace

absl::StatusOr<PerpForm> ParsePerpForm(absl::string_view name) {
  for (PerpForm form : {PerpForm::kCovariance, PerpForm::kCorrelation}) {
    if (name == PerpFormName(form)) return form;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("perp_form: must be \"covariance\" or \"correlation\", "
                   "got \"",
                   name, "\""));
}

absl::string_view PerpFormName(PerpForm form) {
  return form == PerpForm::kCovariance ? "covariance" : "correlation";
}

at::Tensor ReconLoss(const at::Tensor& x, const at::Tensor& x_hat,
                     ReconForm form) {
  const at::Tensor errors = (x_hat - x).square();
  return form == ReconForm::kMean ? errors.mean() : errors.sum(1).mean();
}

at::Tensor PrefixLoss(const at::Tensor& x, const at::Tensor& z_concept,
                      const at::Tensor& directions, const at::Tensor& b_dec) {
  return ReconLoss(x, at::addmm(b_dec, z_concept, directions));
}

at::Tensor WriteLoss(const at::Tensor& directions,
                     const at::Tensor& differences) {
  return 1 - at::cosine_similarity(directions, differences, 1).mean();
}

at::Tensor SparseLoss(const at::Tensor& z_free, SparseForm form,
                      const at::Tensor& norms) {
  const at::Tensor sizes =
      norms.defined() ? z_free.abs() * norms : z_free.abs();
  return form == SparseForm::kMean ? sizes.mean() : sizes.sum(1).mean();
}

at::Tensor AuxLoss(const at::Tensor& x, const at::Tensor& x_hat,
                   const at::Tensor& pre_free, const at::Tensor& dead,
                   const at::Tensor& directions, int64_t k) {
  const at::Tensor features = dead.nonzero().squeeze(1);  // [n]
  const int64_t count = features.size(0);
  if (count == 0) return at::zeros({}, x.options());
  const at::Tensor own = pre_free.index_select(1, features);  // [B, n]
  const auto [values, kept] = at::topk(own, std::min(k, count), 1);
  const at::Tensor z =
      at::zeros_like(own).scatter(1, kept, at::relu(values));  // [B, n]
  const at::Tensor made = at::matmul(z, directions.index_select(0, features));
  return ReconLoss((x - x_hat).detach(), made);
}

at::Tensor AlignLoss(const at::Tensor& slots, const at::Tensor& labels,
                     AlignForm form) {
  const double rows = static_cast<double>(slots.size(0));
  if (form == AlignForm::kCrossEntropy) {
    return at::cross_entropy_loss(slots, labels, /*weight=*/{},
                                  at::Reduction::Sum, /*ignore_index=*/-1) /
           rows;
  }
  const at::Tensor asks = (labels >= 0).to(slots.dtype());  // [B]
  const at::Tensor one_hot =
      at::one_hot(labels.clamp_min(0), slots.size(1)).to(slots.dtype());
  const at::Tensor errors = (slots - one_hot).square().mean(1);  // [B]
  return (errors * asks).sum() / rows;
}

at::Tensor OneHot(const at::Tensor& labels, int64_t concepts) {
  return labels.unsqueeze(1) ==
         at::arange(concepts, labels.options()).unsqueeze(0);
}

at::Tensor HasConcept(const at::Tensor& has_concept, const at::Tensor& labels,
                      int64_t concepts) {
  return has_concept.defined() ? has_concept : OneHot(labels, concepts);
}

AlignTargets::AlignTargets(const at::Tensor& has_concept,
                           const std::vector<std::vector<int>>& facets) {
  for (const std::vector<int>& concepts : facets) {
    Facet facet;
    facet.concepts =
        at::tensor(std::vector<int64_t>(concepts.begin(), concepts.end()),
                   at::kLong)
            .to(has_concept.device());
    const at::Tensor own = has_concept.index_select(1, facet.concepts);
    const at::Tensor count = own.sum(1);  // [N]
    facet.exclusive = concepts.size() > 1 && count.le(1).all().item<bool>();
    if (facet.exclusive) {
      facet.labels = own.to(at::kLong).argmax(1).masked_fill(count.eq(0), -1);
    } else {
      facet.present = own;
    }
    facets_.push_back(std::move(facet));
  }
}

at::Tensor AlignLoss(const at::Tensor& slots, const AlignTargets& targets,
                     const at::Tensor& rows, AlignForm form) {
  at::Tensor sum = at::zeros({}, slots.options());
  for (const AlignTargets::Facet& facet : targets.facets()) {
    const at::Tensor own = slots.index_select(1, facet.concepts);  // [B, n]
    if (!facet.exclusive) {
      const at::Tensor present =
          facet.present.index_select(0, rows).to(own.scalar_type());
      sum = sum + (form == AlignForm::kOneHot
                       ? (own - present).square().mean()
                       : at::binary_cross_entropy_with_logits(own, present));
      continue;
    }
    const at::Tensor labels = facet.labels.index_select(0, rows);
    const at::Tensor some = labels.ge(0).nonzero().squeeze(1);
    if (some.size(0) == 0) continue;
    sum = sum + AlignLoss(own.index_select(0, some),
                          labels.index_select(0, some), form);
  }
  return sum;
}

at::Tensor PerpLoss(const at::Tensor& z_concept, const at::Tensor& z_free,
                    PerpForm form) {
  const double rows = static_cast<double>(z_concept.size(0));
  at::Tensor concept_part = Centred(z_concept);  // [B, R]
  at::Tensor free_part = Centred(z_free);        // [B, K]
  if (form == PerpForm::kCorrelation) {
    concept_part =
        concept_part /
        (concept_part.square().mean(0, true) + kVarianceFloor).sqrt();
    free_part =
        free_part / (free_part.square().mean(0, true) + kVarianceFloor).sqrt();
  }
  // [R, K]
  return (at::matmul(concept_part.t(), free_part) / rows).square().sum();
}

at::Tensor ValueLoss(const ValueHeads& heads, const at::Tensor& z_concept,
                     const at::Tensor& labels, const at::Tensor& targets) {
  const int64_t concepts = z_concept.size(1);
  at::Tensor sum = at::zeros({}, z_concept.options());
  // A loop over R (a handful): each head meets only the rows of its concept.
  for (int64_t r = 0; r < concepts; ++r) {
    const at::Tensor rows = (labels == r).nonzero().squeeze(1);  // [n]
    if (rows.size(0) == 0) continue;
    const at::Tensor z = z_concept.select(1, r).index_select(0, rows);  // [n]
    const at::Tensor hidden =
        at::relu(z.unsqueeze(1) * heads.w1[r] + heads.b1[r]);  // [n, H]
    const at::Tensor logits =
        at::matmul(hidden, heads.w2[r]) + heads.b2[r];  // [n, V]
    sum = sum + at::cross_entropy_loss(logits, targets.index_select(0, rows),
                                       /*weight=*/{}, at::Reduction::Sum);
  }
  return sum / static_cast<double>(z_concept.size(0));
}

at::Tensor IndepLoss(const at::Tensor& z_free) {
  const double rows = static_cast<double>(z_free.size(0));
  const at::Tensor centred = Centred(z_free);                // [B, K]
  const at::Tensor gram = at::matmul(centred, centred.t());  // [B, B]
  const at::Tensor variances = centred.square().mean(0);     // [K]
  return gram.square().sum() / (rows * rows) - variances.square().sum();
}

}  // namespace alignsae
