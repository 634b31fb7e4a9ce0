#include "model/transformer/logit_agreement.h"

namespace alignsae {

void LogitAgreement::Add(const at::Tensor& reference, const at::Tensor& other) {
  const auto [best, ids] = reference.topk(2, 1);
  const at::Tensor same_ids = ids.select(1, 0).eq(other.argmax(1));
  const at::Tensor is_clear =
      (best.select(1, 0) - best.select(1, 1)).gt(kClearMargin);
  const at::Tensor p = at::log_softmax(reference, 1);
  const at::Tensor q = at::log_softmax(other, 1);
  same += same_ids.sum().item<double>();
  clear += is_clear.sum().item<double>();
  clear_same += same_ids.logical_and(is_clear).sum().item<double>();
  kl += (p.exp() * (p - q)).sum().item<double>();
  positions += reference.size(0);
}

}  // namespace alignsae
