#include "model/train/sae/value_heads.h"

#include <cmath>
#include <tuple>

#include "model/io/tensor_file.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/random_order.h"

namespace alignsae {

ValueHeads InitValueHeads(const at::Tensor& first_tokens, int64_t concepts,
                          int64_t hidden, uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(
      RandomStream(seed, RandomPurpose::kSaeWeights, 1).NextBits());
  const at::Tensor given = first_tokens.to(at::kCPU);
  const at::Tensor tokens = std::get<0>(
      at::_unique2(given.masked_select(given.ge(0)), /*sorted=*/true));  // [V]
  const at::Device device = first_tokens.device();
  ValueHeads heads;
  heads.tokens.assign(tokens.data_ptr<int64_t>(),
                      tokens.data_ptr<int64_t>() + tokens.numel());
  heads.w1 = at::randn({concepts, hidden}, generator).to(device);
  heads.b1 = at::randn({concepts, hidden}, generator).to(device);
  heads.w2 = (at::randn({concepts, hidden, tokens.numel()}, generator) /
              std::sqrt(static_cast<double>(hidden)))
                 .to(device);
  heads.b2 = at::zeros({concepts, tokens.numel()}, heads.w2.options());
  return heads;
}

absl::Status SaveValueHeads(const std::string& path, const ValueHeads& heads) {
  return WithTorchFence([&] {
    NamedTensors tensors = heads.Tensors();
    tensors.emplace_back("tokens", at::tensor(heads.tokens, at::kLong));
    return WriteTensors(path, tensors, {});
  });
}

}  // namespace alignsae
