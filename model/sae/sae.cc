#include "model/sae/sae.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

// The first non-finite value of `values`, or OK. `features` translates indices
// along `feature_axis` into feature indices when only some were read.
absl::Status CheckFinite(absl::string_view source, absl::string_view name,
                         const at::Tensor& values, int64_t feature_axis,
                         const at::Tensor& features) {
  if (!values.defined() || values.numel() == 0) return absl::OkStatus();
  // Both extremes are NaN if any value is; no temporary of the tensor's size.
  const auto [low, high] = at::aminmax(values);
  if (std::isfinite(low.item<float>()) && std::isfinite(high.item<float>())) {
    return absl::OkStatus();
  }
  const at::Tensor first =
      at::nonzero(at::isfinite(values).logical_not()).select(0, 0);  // [rank]
  std::vector<int64_t> index;
  at::Tensor value = values;
  for (int64_t axis = 0; axis < first.size(0); ++axis) {
    int64_t at_axis = first[axis].item<int64_t>();
    value = value.select(0, at_axis);
    if (features.defined() && axis == feature_axis) {
      at_axis = features[at_axis].item<int64_t>();
    }
    index.push_back(at_axis);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      source, "tensor \"", name, "\": must be finite, got ",
      value.item<float>(), " at [", absl::StrJoin(index, ", "), "]"));
}

absl::Status CheckDirections(absl::string_view source, const SaeConfig& config,
                             const at::Tensor& concept_w_dec /* [R, D] */) {
  if (config.concepts.empty()) return absl::OkStatus();
  // In double, so that a tiny row is not taken for a zero one.
  const at::Tensor norms =
      at::linalg_vector_norm(concept_w_dec.to(at::kDouble), 2, {1}).cpu();
  for (size_t r = 0; r < config.concepts.size(); ++r) {
    if (norms[static_cast<int64_t>(r)].item<double>() > 0) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(source,
                     "tensor \"W_dec\": must have a row of non-zero norm for "
                     "every concept, ",
                     "got norm 0 at row ", config.concepts[r].slot,
                     " (concept ", Quoted(config.concepts[r].name), ")"));
  }
  return absl::OkStatus();
}

absl::Status CheckShape(absl::string_view name, const at::Tensor& values,
                        absl::Span<const int64_t> shape) {
  if (!values.defined()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", name, "\": must be given, got nothing"));
  }
  if (!values.is_floating_point()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor \"", name, "\": must be floating point, got ",
                     c10::toString(values.scalar_type())));
  }
  if (values.sizes() != at::IntArrayRef(shape.data(), shape.size())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor \"", name, "\": must have shape [", absl::StrJoin(shape, ", "),
        "], got [", absl::StrJoin(values.sizes(), ", "), "]"));
  }
  return absl::OkStatus();
}

at::Tensor OwnCopy(const at::Tensor& values) {
  return values.defined() ? values.detach()
                                .to(at::kFloat)
                                .clone(at::MemoryFormat::Contiguous)
                          : values;
}

// Slots whose rows are all zero, ascending.
std::vector<int> ZeroRows(const at::Tensor& w_dec /* [F, D] */) {
  // The extremes of each row, without a temporary of the matrix's size.
  const auto [low, high] = at::aminmax(w_dec, 1);
  const at::Tensor zero =
      at::nonzero(low.eq(0).logical_and(high.eq(0))).cpu();  // [n, 1]
  const int64_t* slots = zero.data_ptr<int64_t>();
  return std::vector<int>(slots, slots + zero.size(0));
}

at::Tensor SlotsOf(const SaeConfig& config) {
  at::Tensor slots =
      at::empty({static_cast<int64_t>(config.concepts.size())}, at::kLong);
  for (size_t r = 0; r < config.concepts.size(); ++r) {
    slots.data_ptr<int64_t>()[r] = config.concepts[r].slot;
  }
  return slots;
}

}  // namespace

absl::Status CheckSaeShapes(const SaeConfig& config,
                            const SaeWeights& weights) {
  const int64_t d = config.d_model;
  const int64_t f = config.n_features;
  ALIGNSAE_RETURN_IF_ERROR(CheckShape("W_enc", weights.w_enc, {d, f}));
  ALIGNSAE_RETURN_IF_ERROR(CheckShape("b_enc", weights.b_enc, {f}));
  ALIGNSAE_RETURN_IF_ERROR(CheckShape("W_dec", weights.w_dec, {f, d}));
  ALIGNSAE_RETURN_IF_ERROR(CheckShape("b_dec", weights.b_dec, {d}));
  if (config.activation == SaeActivation::kJumpRelu) {
    return CheckShape("threshold", weights.threshold, {f});
  }
  if (weights.threshold.defined()) {
    return absl::InvalidArgumentError(
        "tensor \"threshold\": must be absent unless the activation is "
        "jumprelu, got a "
        "tensor");
  }
  return absl::OkStatus();
}

absl::StatusOr<Sae> Sae::Build(Sae sae, absl::string_view source) {
  const SaeConfig& config = sae.config_;
  const bool whole = sae.whole();
  const at::Device device =
      whole ? sae.weights_.w_enc.device() : sae.concept_w_enc_.device();
  const at::Tensor slots_cpu = SlotsOf(config);  // [R]
  sae.concept_slots_ = slots_cpu.to(device);
  if (whole) {
    const SaeWeights& w = sae.weights_;
    for (const auto& [name, values] :
         {std::pair("W_enc", w.w_enc), std::pair("b_enc", w.b_enc),
          std::pair("W_dec", w.w_dec), std::pair("b_dec", w.b_dec),
          std::pair("threshold", w.threshold)}) {
      ALIGNSAE_RETURN_IF_ERROR(CheckFinite(source, name, values, 0, {}));
    }
    sae.concept_w_enc_ = w.w_enc.index_select(1, sae.concept_slots_);
    sae.concept_b_enc_ = w.b_enc.index_select(0, sae.concept_slots_);
    sae.concept_w_dec_ = w.w_dec.index_select(0, sae.concept_slots_);
    sae.no_direction_ = ZeroRows(w.w_dec);
    sae.free_mask_ =
        at::ones({config.n_features}, w.b_enc.options().dtype(at::kBool));
    if (!config.slots_act_alike) {
      sae.free_mask_.index_fill_(0, sae.concept_slots_, false);
    } else if (config.activation == SaeActivation::kJumpRelu) {
      sae.concept_threshold_ = w.threshold.index_select(0, sae.concept_slots_);
    }
  } else {
    ALIGNSAE_RETURN_IF_ERROR(
        CheckFinite(source, "W_enc", sae.concept_w_enc_, 1, slots_cpu));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckFinite(source, "b_enc", sae.concept_b_enc_, 0, slots_cpu));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckFinite(source, "W_dec", sae.concept_w_dec_, 0, slots_cpu));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckDirections(source, config, sae.concept_w_dec_));
  return sae;
}

absl::StatusOr<Sae> Sae::FromWeights(const SaeConfig& config,
                                     const SaeWeights& weights) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeConfig(config));
  ALIGNSAE_RETURN_IF_ERROR(CheckSaeShapes(config, weights));
  return WithTorchFence([&]() -> absl::StatusOr<Sae> {
    Sae sae;
    sae.config_ = config;
    sae.weights_ = {.w_enc = OwnCopy(weights.w_enc),
                    .b_enc = OwnCopy(weights.b_enc),
                    .w_dec = OwnCopy(weights.w_dec),
                    .b_dec = OwnCopy(weights.b_dec),
                    .threshold = OwnCopy(weights.threshold)};
    return Build(std::move(sae), "");
  });
}

bool Sae::HasDirection(int slot) const {
  return !std::binary_search(no_direction_.begin(), no_direction_.end(), slot);
}

int Sae::ConceptOfSlot(int slot) const {
  for (size_t r = 0; r < config_.concepts.size(); ++r) {
    if (config_.concepts[r].slot == slot) return static_cast<int>(r);
  }
  return -1;
}

at::Tensor Sae::Scaled(const at::Tensor& h) const {
  return h.to(at::kFloat).div(config_.scale);
}

at::Tensor Sae::ConceptPre(const at::Tensor& h) const {
  return at::addmm(concept_b_enc_, Scaled(h), concept_w_enc_);
}

at::Tensor Sae::ConceptActivate(const at::Tensor& pre) const {
  if (config_.activation == SaeActivation::kIdentity) return pre;
  const at::Tensor z = at::relu(pre);
  return concept_threshold_.defined() ? z.mul(pre.gt(concept_threshold_)) : z;
}

at::Tensor Sae::Pre(const at::Tensor& h) const {
  return at::addmm(weights_.b_enc, Scaled(h), weights_.w_enc);
}

at::Tensor Sae::Activate(const at::Tensor& pre) const {
  switch (config_.activation) {
    case SaeActivation::kIdentity:
      return pre;
    case SaeActivation::kRelu:
      return at::relu(pre);
    case SaeActivation::kJumpRelu: {
      const at::Tensor kept =
          pre.gt(weights_.threshold).logical_or(free_mask_.logical_not());
      return at::relu(pre).mul(kept);
    }
    case SaeActivation::kTopK:
      break;
  }
  // The concepts take no part in the choice of the k largest.
  const at::Tensor free_pre = pre.masked_fill(
      free_mask_.logical_not(), -std::numeric_limits<float>::infinity());
  const auto [values, indices] = free_pre.topk(config_.k, /*dim=*/1);
  at::Tensor z = at::zeros_like(pre).scatter_(1, indices, at::relu(values));
  return z.index_copy_(1, concept_slots_,
                       at::relu(pre.index_select(1, concept_slots_)));
}

at::Tensor Sae::Decode(const at::Tensor& z) const {
  return at::addmm(weights_.b_dec, z, weights_.w_dec).mul_(config_.scale);
}

at::Tensor Sae::SlotValues(const at::Tensor& h, const at::Tensor& slots) const {
  if (config_.activation == SaeActivation::kTopK) {
    return Encode(h).gather(1, slots);
  }
  const at::Tensor flat = slots.flatten();  // [N k]
  const auto of_slots = [&](const at::Tensor& per_feature /* [F] */) {
    return per_feature.index_select(0, flat).view_as(slots);
  };
  const at::Tensor columns =  // [N, k, D]
      weights_.w_enc.index_select(1, flat).t().reshape(
          {slots.size(0), slots.size(1), config_.d_model});
  const at::Tensor pre =
      Scaled(h).unsqueeze(1).mul(columns).sum(2).add(of_slots(weights_.b_enc));
  if (config_.activation == SaeActivation::kIdentity) return pre;
  if (config_.activation == SaeActivation::kRelu) return at::relu(pre);
  const at::Tensor kept = pre.gt(of_slots(weights_.threshold))
                              .logical_or(of_slots(free_mask_).logical_not());
  return at::relu(pre).mul(kept);
}

}  // namespace alignsae
