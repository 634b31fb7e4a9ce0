#include "model/transformer/balance.h"

namespace alignsae {

NormedMatrix Balanced(const NormedMatrix& plain) {
  const at::Tensor size = plain.gain.abs();                       // [I]
  const at::Tensor rms = plain.weight.square().mean({1}).sqrt();  // [I]
  // A channel without gain or weights adds nothing, and gets neither.
  const at::Tensor used = size.gt(0).logical_and(rms.gt(0));  // [I]
  const at::Tensor scale =
      at::where(used, size.div(rms).sqrt(), at::ones_like(size));  // [I]
  const at::Tensor none = at::zeros_like(size);
  NormedMatrix result;
  result.gain = at::where(used, plain.gain.div(scale), none);
  result.shift = none;
  result.weight = plain.weight.mul(at::where(used, scale, none).unsqueeze(1));
  result.bias = at::mv(plain.weight.t(), plain.shift);  // [O]
  if (plain.bias.defined()) result.bias.add_(plain.bias);
  return result;
}

}  // namespace alignsae
