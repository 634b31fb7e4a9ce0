#include "model/train/sae/objective.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// Index of each first token in `vocabulary` [V], rising. -> [N]
at::Tensor TargetsOf(const at::Tensor& first_tokens,
                     const std::vector<int64_t>& vocabulary) {
  const at::Tensor sorted = at::tensor(vocabulary, at::kLong);
  return at::searchsorted(sorted, first_tokens.to(at::kCPU))
      .to(first_tokens.device());
}

AlignTargets AlignTargetsOf(const SaeDataset& data) {
  std::vector<std::vector<int>> facets = data.facets;
  if (facets.empty()) {
    facets.emplace_back(data.concepts);
    std::iota(facets[0].begin(), facets[0].end(), 0);
  }
  return AlignTargets(HasConcept(data.has_concept, data.labels, data.concepts),
                      facets);
}

// A term that an activation other than `activations` has no use for.
absl::Status CheckFits(const char* term, double weight, bool fits,
                       absl::string_view activations,
                       const SaeOptions& options) {
  if (weight == 0 || fits) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(term, ": must be 0 unless activation is ", activations,
                   ", got ", weight, " with ", options.activation));
}

// The weighted sum of one batch's terms.
class TermSum {
 public:
  TermSum(const at::TensorOptions& options, int64_t rows)
      : total_(at::zeros({}, options)), rows_(static_cast<double>(rows)) {}

  // `term` is not computed where its weight is 0.
  template <typename Term>
  void Add(double weight, std::optional<double>& sum, Term&& term) {
    if (weight == 0) return;
    const at::Tensor value = term();
    sum = sum.value_or(0) + value.template item<double>() * rows_;
    total_ = total_ + weight * value;
  }
  const at::Tensor& total() const { return total_; }

 private:
  at::Tensor total_;
  double rows_;
};

}  // namespace

SaeLossWeights WeightsOfEpoch(const SaeOptions& options, int stage, int epoch) {
  SaeLossWeights weights = {.recon = options.recon,
                            .sparse = options.sparse,
                            .align = options.align,
                            .perp = options.perp,
                            .val = options.val,
                            .indep = options.indep,
                            .prefix = options.prefix,
                            .write = options.write,
                            .l0 = options.l0,
                            .aux = options.aux};
  if (options.align_rise > 0) {
    weights.align *=
        std::min(1.0, static_cast<double>(epoch - options.stage1_epochs) /
                          static_cast<double>(options.align_rise));
  }
  if (stage == 1) {
    weights.align = weights.perp = weights.val = weights.indep = 0;
    weights.prefix = weights.write = 0;
    if (options.sparse_stages == "second") weights.sparse = weights.l0 = 0;
  }
  return weights;
}

absl::Status CheckTerms(const SaeOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFits(
      "l0", options.l0, options.activation == "jumprelu", "jumprelu", options));
  return CheckFits(
      "aux", options.aux,
      options.activation == "topk" || options.activation == "batchtopk",
      "topk or batchtopk", options);
}

SaeObjective::SaeObjective(const SaeDataset& data, const SaeOptions& options,
                           const ValueHeads& heads)
    : options_(options),
      concepts_(data.concepts),
      perp_form_(ParsePerpForm(options.perp_form).value()),
      targets_(TargetsOf(data.first_tokens, heads.tokens)),
      answered_(data.labels.masked_fill(data.first_tokens.lt(0), -1)),
      align_(AlignTargetsOf(data)) {}

void SaeObjective::SetClassDifferences(const at::Tensor& differences) {
  differences_ = differences.to(answered_.device(), at::kFloat);
}

at::Tensor SaeObjective::Loss(const TrainableSae& sae, const ValueHeads& heads,
                              const TrainableSae::Output& out,
                              const Batch& batch, const SaeLossWeights& weights,
                              SaeEpochLog& sums) const {
  const at::Tensor& x = batch.x;
  const int64_t free_features = options_.free_features;
  const at::Tensor z_concept = out.z.narrow(1, 0, concepts_);
  const at::Tensor z_free = out.z.narrow(1, concepts_, free_features);
  TermSum terms(x.options(), x.size(0));
  terms.Add(weights.recon, sums.recon, [&] {
    return ReconLoss(
        x, out.x_hat,
        options_.recon_form == "mean" ? ReconForm::kMean : ReconForm::kSum);
  });
  terms.Add(weights.prefix, sums.prefix, [&] {
    return PrefixLoss(x, z_concept, sae.concept_directions(), sae.b_dec());
  });
  terms.Add(weights.write, sums.write,
            [&] { return WriteLoss(sae.concept_directions(), differences_); });
  terms.Add(weights.sparse, sums.sparse, [&] {
    return SparseLoss(
        z_free,
        options_.sparse_form == "mean" ? SparseForm::kMean : SparseForm::kSum,
        options_.sparse_norm == "decoder" ? sae.free_directions().norm(2, {1})
                                          : at::Tensor());
  });
  terms.Add(weights.l0, sums.l0, [&] { return sae.FreeL0(out.pre); });
  terms.Add(weights.aux, sums.aux, [&] {
    return AuxLoss(x, out.x_hat, out.pre.narrow(1, concepts_, free_features),
                   batch.dead, sae.free_directions(), options_.aux_k);
  });
  terms.Add(weights.align, sums.align, [&] {
    return AlignLoss(
        options_.align_on == "z" ? z_concept : out.pre.narrow(1, 0, concepts_),
        align_, batch.rows,
        options_.align_form == "mse" ? AlignForm::kOneHot
                                     : AlignForm::kCrossEntropy);
  });
  terms.Add(weights.perp, sums.perp,
            [&] { return PerpLoss(z_concept, z_free, perp_form_); });
  terms.Add(heads.tokens.empty() ? 0 : weights.val, sums.val, [&] {
    return ValueLoss(heads, z_concept, answered_.index_select(0, batch.rows),
                     targets_.index_select(0, batch.rows));
  });
  terms.Add(weights.indep, sums.indep, [&] { return IndepLoss(z_free); });
  return terms.total();
}

}  // namespace alignsae
