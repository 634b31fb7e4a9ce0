#include "model/gpt2/kv_cache.h"

#include <cmath>
#include <cstdlib>
#include <new>

namespace alignsae {
namespace {

// calloc leaves large blocks to the system, which hands out zero pages on first
// touch; at::zeros would write (and so occupy) every page of every slot now.
at::Tensor LazyZeros(at::IntArrayRef shape, at::Device device) {
  if (!device.is_cpu()) {
    return at::zeros(shape, at::TensorOptions(at::kFloat).device(device));
  }
  const size_t count = c10::multiply_integers(shape);
  void* memory = std::calloc(count, sizeof(float));
  if (memory == nullptr) throw std::bad_alloc();
  return at::from_blob(
      memory, shape, [](void* block) { std::free(block); }, at::kFloat);
}

}  // namespace

KvCache::KvCache(const Gpt2Config& config, int slots, at::Device device)
    : slots_(slots),
      context_length_(config.context_length),
      taint_(at::zeros({slots}, at::TensorOptions(at::kFloat).device(device))) {
  const std::vector<int64_t> shape = {slots, config.n_head,
                                      config.context_length, config.head_dim()};
  for (int layer = 0; layer < config.n_layer; ++layer) {
    keys_.push_back(LazyZeros(shape, device));
    values_.push_back(LazyZeros(shape, device));
  }
}

void KvCache::BeginStep(absl::Span<const PackedRow> rows) {
  const at::Tensor taint = taint_.cpu();
  for (const PackedRow& row : rows) {
    if (std::isfinite(taint.data_ptr<float>()[row.kv_slot])) continue;
    const int64_t tail = context_length_ - row.start;
    for (std::vector<at::Tensor>* side : {&keys_, &values_}) {
      for (at::Tensor& layer : *side) {
        layer.select(0, row.kv_slot).narrow(1, row.start, tail).zero_();
      }
    }
    // A sequence that goes on keeps its tainted past.
    if (row.start == 0) taint_.select(0, row.kv_slot).zero_();
  }
}

void KvCache::Write(int layer, const at::Tensor& slots,
                    const at::Tensor& positions, const at::Tensor& keys,
                    const at::Tensor& values) {
  using at::indexing::Slice;
  keys_[layer].index_put_({slots, Slice(), positions}, keys);
  values_[layer].index_put_({slots, Slice(), positions}, values);
  // Zero times a finite sum is zero, anything else is NaN; read once a step.
  const at::Tensor sums = keys.sum({1, 2}) + values.sum({1, 2});  // [N]
  taint_.index_add_(0, slots, sums * 0);
}

}  // namespace alignsae
