#include "model/transformer/balance.h"

#include <algorithm>

namespace alignsae {
namespace {

// Root of the mean square of each row, [I].
at::Tensor RowRms(const at::Tensor& weight) {
  const int64_t columns = weight.size(1);
  at::Tensor sums = at::zeros_like(weight.select(1, 0));  // [I]
  for (int64_t first = 0; first < columns; first += kColumnsAtOnce) {
    const int64_t count = std::min(kColumnsAtOnce, columns - first);
    sums.add_(weight.narrow(1, first, count).square().sum({1}));
  }
  return sums.div_(columns).sqrt_();
}

}  // namespace

NormedMatrix Balanced(const NormedMatrix& plain) {
  const at::Tensor size = plain.gain.abs();     // [I]
  const at::Tensor rms = RowRms(plain.weight);  // [I]
  // A channel without gain or weights adds nothing, and gets neither.
  const at::Tensor used = size.gt(0).logical_and(rms.gt(0));  // [I]
  const at::Tensor scale =
      at::where(used, size.div(rms).sqrt(), at::ones_like(size));  // [I]
  const at::Tensor none = at::zeros_like(size);
  NormedMatrix result;
  result.gain = at::where(used, plain.gain.div(scale), none);
  result.shift = none;
  result.weight = plain.weight;
  result.row_scale = at::where(used, scale, none);
  result.bias = at::mv(plain.weight.t(), plain.shift);  // [O]
  if (plain.bias.defined()) result.bias.add_(plain.bias);
  return result;
}

}  // namespace alignsae
