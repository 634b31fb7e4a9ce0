#include "model/engine/slot_explainer.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"

namespace alignsae {
namespace {

// Deviation of what the head is given: beside it ln_f's epsilon is nothing.
constexpr double kDeviation = 1e3;

absl::StatusOr<at::Tensor> DirectionOf(const Sae& sae, int slot) {
  const int concept_index = sae.ConceptOfSlot(slot);
  if (concept_index >= 0) return sae.concept_decoder().select(0, concept_index);
  if (!sae.whole() || slot < 0 || slot >= sae.config().n_features) {
    return absl::FailedPreconditionError(
        absl::StrCat("slot: must be loaded, got ", slot));
  }
  return sae.weights().w_dec.select(0, slot);
}

// (g (v - mean(v))) W_U, [V], of the head alone: its layer norm maps x and -x
// to opposite vectors, whose difference has no bias in it.
at::Tensor ThroughNorm(const Transformer& model, const at::Tensor& v) {
  const at::Tensor centred = v - v.mean();
  const at::Tensor deviation = centred.square().mean().sqrt();
  if (deviation.item<float>() == 0) {
    return at::zeros({model.facts().vocab_size}, v.options());
  }
  const at::Tensor x = centred * (kDeviation / deviation);
  const at::Tensor logits = model.Head(at::stack({x, -x}));  // [2, V]
  return (logits[0] - logits[1]) * (0.5 * deviation);
}

std::vector<TokenEffect> End(const at::Tensor& logits, int count,
                             bool largest) {
  auto [values, tokens] = logits.topk(count, 0, largest, /*sorted=*/true);
  values = ToCpu(values);
  tokens = tokens.to(at::kCPU).contiguous();
  std::vector<TokenEffect> end;
  for (int i = 0; i < count; ++i) {
    end.push_back({static_cast<int32_t>(tokens.data_ptr<int64_t>()[i]),
                   values.data_ptr<float>()[i]});
  }
  return end;
}

DirectEffect Ends(const at::Tensor& logits, int top_k) {
  const int count = static_cast<int>(std::min<int64_t>(top_k, logits.size(0)));
  return {End(logits, count, /*largest=*/true),
          End(logits, count, /*largest=*/false)};
}

}  // namespace

absl::StatusOr<SlotExplanation> ExplainSlotOf(const Transformer& model,
                                              const Sae& sae, int slot,
                                              int top_k) {
  at::NoGradGuard no_grad;
  ComputeAlone();  // The step thread keeps the others.
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor direction, DirectionOf(sae, slot));
  const at::Tensor v = direction.to(at::kFloat) * sae.config().scale;  // [D]
  SlotExplanation explanation;
  explanation.direction_norm = v.norm().item<float>();
  explanation.with_ln_f = Ends(ThroughNorm(model, v), top_k);
  const at::Tensor plain = model.Unembed(v.unsqueeze(0));
  if (plain.defined()) explanation.without_ln_f = Ends(plain[0], top_k);
  return explanation;
}

}  // namespace alignsae
