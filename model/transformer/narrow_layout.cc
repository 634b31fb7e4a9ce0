#include "model/transformer/narrow_layout.h"

#include <ATen/Parallel.h>

#include "model/kernels/small_gemm.h"
#include "model/transformer/streamed_memory.h"

namespace alignsae {
namespace {

// Inputs of a column that lie side by side: 32 bits.
int64_t InputsPerWord(WeightType type) {
  return type == WeightType::kF32 ? 1 : type == WeightType::kBf16 ? 2 : 4;
}

// [I, O] as blocks [I / kWord, 16, kWord].
template <typename From, typename To>
void Pack(const at::Tensor& weight, void* memory) {
  constexpr int64_t kWord = 4 / sizeof(To);
  To* packed = static_cast<To*>(memory);
  const From* from = weight.data_ptr<From>();
  const int64_t inputs = weight.size(0);
  const int64_t outputs = weight.size(1);
  const int64_t down = weight.stride(0);
  const int64_t right = weight.stride(1);
  const int64_t words = (inputs + kWord - 1) / kWord;
  const int64_t block_numbers = words * kWord * kNarrowColumnBlock;
  const auto pack_column = [&](int64_t o) {
    To* to = packed + o / kNarrowColumnBlock * block_numbers +
             o % kNarrowColumnBlock * kWord;
    for (int64_t i = 0; i < inputs; ++i) {
      to[i / kWord * kNarrowColumnBlock * kWord + i % kWord] =
          static_cast<To>(from[i * down + o * right]);
    }
  };
  at::parallel_for(0, outputs, kNarrowColumnBlock,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t o = begin; o < end; ++o) pack_column(o);
                   });
}

}  // namespace

int64_t NarrowInputs(WeightType type, int64_t inputs) {
  const int64_t word = InputsPerWord(type);
  return (inputs + word - 1) / word * word;
}

at::Tensor PackNarrow(const at::Tensor& weight, WeightType type) {
  const int64_t blocks = (weight.size(1) + kColumnBlock - 1) / kColumnBlock;
  const int64_t inputs = NarrowInputs(type, weight.size(0));
  const int64_t words = inputs / InputsPerWord(type);
  at::Tensor packed = StreamedMemory(blocks * kColumnBlock * words * 4).zero_();
  if (type == WeightType::kF32) {
    Pack<float, float>(weight, packed.data_ptr());
  } else if (type == WeightType::kBf16) {
    Pack<float, at::BFloat16>(weight, packed.data_ptr());
  } else {
    Pack<int8_t, int8_t>(weight, packed.data_ptr());
  }
  return packed;
}

}  // namespace alignsae
