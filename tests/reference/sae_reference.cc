#include "tests/reference/sae_reference.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

std::vector<double> Uniform(size_t count, double size, CounterRng& rng) {
  std::vector<double> values(count);
  for (double& value : values) {
    value = static_cast<float>((2 * rng.NextUniform() - 1) * size);
  }
  return values;
}

double ActiveMean(const ReferenceSae& sae, int feature) {
  for (const Concept& entry : sae.config.concepts) {
    if (entry.slot == feature) return entry.active_mean;
  }
  return 0;
}

}  // namespace

bool ReferenceSae::IsConcept(int feature) const {
  for (const Concept& entry : config.concepts) {
    if (entry.slot == feature) return true;
  }
  return false;
}

std::vector<double> ReferenceSae::Pre(const std::vector<double>& h) const {
  const int d_model = config.d_model;
  const int n_features = config.n_features;
  std::vector<double> pre(n_features);
  for (int f = 0; f < n_features; ++f) {
    pre[f] = b_enc[f];
    for (int d = 0; d < d_model; ++d) {
      pre[f] += h[d] / config.scale * w_enc[d * n_features + f];
    }
  }
  return pre;
}

std::vector<double> ReferenceSae::Activate(
    const std::vector<double>& pre) const {
  std::vector<double> z(pre.size());
  for (size_t f = 0; f < pre.size(); ++f) {
    const bool free = !IsConcept(static_cast<int>(f));
    bool kept = true;
    if (free && config.activation == SaeActivation::kJumpRelu) {
      kept = pre[f] > threshold[f];
    }
    if (free && config.activation == SaeActivation::kTopK) {
      int larger = 0;
      for (size_t g = 0; g < pre.size(); ++g) {
        larger += !IsConcept(static_cast<int>(g)) && pre[g] > pre[f];
      }
      kept = larger < config.k;
    }
    const double active = config.activation == SaeActivation::kIdentity
                              ? pre[f]
                              : std::max(0.0, pre[f]);
    z[f] = kept ? active : 0;
  }
  return z;
}

std::vector<double> ReferenceSae::Encode(const std::vector<double>& h) const {
  return Activate(Pre(h));
}

std::vector<double> ReferenceSae::Decode(const std::vector<double>& z) const {
  const int d_model = config.d_model;
  std::vector<double> h(d_model);
  for (int d = 0; d < d_model; ++d) {
    h[d] = b_dec[d];
    for (size_t f = 0; f < z.size(); ++f) h[d] += z[f] * w_dec[f * d_model + d];
    h[d] *= config.scale;
  }
  return h;
}

int ReferenceSae::TopConcept(const std::vector<double>& h) const {
  const std::vector<double> pre = Pre(h);
  int top = config.concepts[0].slot;
  for (const Concept& entry : config.concepts) {
    if (pre[entry.slot] > pre[top]) top = entry.slot;
  }
  return top;
}

ReferenceSae RandomReferenceSae(const RandomSaeOptions& options,
                                uint64_t seed) {
  CounterRng rng(seed);
  ReferenceSae sae;
  sae.config.d_model = options.d_model;
  sae.config.n_features = options.n_features;
  sae.config.hook = {HookKind::kResidPost, 1};
  sae.config.activation = options.activation;
  sae.config.k = options.activation == SaeActivation::kTopK ? options.k : 0;
  sae.config.scale = options.scale;
  for (size_t r = 0; r < options.slots.size(); ++r) {
    sae.config.concepts.push_back({.name = absl::StrCat("concept_", r),
                                   .slot = options.slots[r],
                                   .description = "",
                                   .example = "",
                                   .active_mean = 0.5 + 0.75 * r,
                                   .threshold = 0.25});
  }
  const size_t d_model = options.d_model;
  const size_t n_features = options.n_features;
  sae.w_enc = Uniform(d_model * n_features, 0.6, rng);
  sae.b_enc = Uniform(n_features, 0.3, rng);
  sae.w_dec = Uniform(n_features * d_model, 0.6, rng);
  sae.b_dec = Uniform(d_model, 0.3, rng);
  if (options.activation == SaeActivation::kJumpRelu) {
    sae.threshold = Uniform(n_features, 0.5, rng);
    for (double& value : sae.threshold) value = std::abs(value);
  }
  return sae;
}

std::vector<double> RandomResidual(int d_model, double size, uint64_t seed) {
  CounterRng rng(seed);
  return Uniform(d_model, size, rng);
}

std::optional<int> ReferenceSource(const ReferenceSae& sae,
                                   const Intervention& intervention,
                                   const std::vector<double>& h) {
  if (!IsTwoSlotMode(intervention.mode)) return std::nullopt;
  const int source =
      intervention.source_slot ? *intervention.source_slot : sae.TopConcept(h);
  if (source == intervention.target_slot) return std::nullopt;
  return source;
}

namespace {

// Of the modes that need a direction only.
std::vector<double> AlongDirection(InterventionMode mode, double alpha,
                                   const std::vector<double>& direction,
                                   const std::vector<double>& h) {
  double amount = alpha;
  if (mode == InterventionMode::kAddNormMatched) {
    amount = alpha * Norm(h) / Norm(direction);
  } else if (mode == InterventionMode::kProjectOut) {
    double dot = 0;
    for (size_t d = 0; d < h.size(); ++d) dot += h[d] * direction[d];
    amount = -dot / (Norm(direction) * Norm(direction));
  }
  std::vector<double> edited = h;
  for (size_t d = 0; d < h.size(); ++d) edited[d] += amount * direction[d];
  return edited;
}

}  // namespace

std::vector<double> ReferenceVectorEdit(const Intervention& intervention,
                                        const std::vector<double>& h) {
  const std::vector<float>& values = intervention.vector->values;
  return AlongDirection(intervention.mode, intervention.alpha,
                        {values.begin(), values.end()}, h);
}

std::vector<double> ReferenceEdit(const ReferenceSae& sae,
                                  const Intervention& intervention,
                                  const std::vector<double>& h) {
  const int j = intervention.target_slot;
  const std::optional<int> i = ReferenceSource(sae, intervention, h);
  const double s = sae.config.scale;
  const double alpha = intervention.alpha;
  const std::vector<double> z = sae.Encode(h);
  const double wanted =
      intervention.unit == AlphaUnit::kRaw ? alpha : alpha * ActiveMean(sae, j);
  const size_t d_model = h.size();
  const double* d_j = &sae.w_dec[j * d_model];
  const auto plus = [&](double amount, const double* direction,
                        std::vector<double> base) {
    for (size_t d = 0; d < d_model; ++d) base[d] += amount * direction[d];
    return base;
  };
  switch (intervention.mode) {
    case InterventionMode::kAdd:
      return plus(s * alpha, d_j, h);
    case InterventionMode::kAddNormMatched:
    case InterventionMode::kProjectOut:
      return AlongDirection(intervention.mode, alpha, {d_j, d_j + d_model}, h);
    case InterventionMode::kSet:
      return plus(s * (wanted - z[j]), d_j, h);
    case InterventionMode::kMultiply:
      return plus(s * (alpha - 1) * z[j], d_j, h);
    case InterventionMode::kAblate:
      return plus(-s * z[j], d_j, h);
    case InterventionMode::kSwap: {
      std::vector<double> edited = plus(s * (wanted - z[j]), d_j, h);
      if (!i) return edited;
      return plus(-s * z[*i], &sae.w_dec[*i * d_model], std::move(edited));
    }
    case InterventionMode::kReplace: {
      std::vector<double> edited_z = z;
      if (i) edited_z[*i] = 0;
      edited_z[j] = wanted;
      return sae.Decode(edited_z);
    }
  }
  return h;
}

bool ReferenceHolds(const ReferenceSae& sae, const ReadingCondition& condition,
                    const std::vector<double>& h) {
  const Concept& asked = sae.config.concepts[condition.column];
  const double value = sae.Encode(h)[asked.slot];
  const bool bound =
      sae.TopConcept(h) == asked.slot && value > 0 && value >= asked.threshold;
  if (condition.bound.has_value() && *condition.bound != bound) return false;
  return !condition.above.has_value() || value > *condition.above;
}

double Norm(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum);
}

}  // namespace alignsae
