#include "model/transformer/kv_cache.h"

#include <cstdlib>
#include <new>

#include "model/transformer/decode_graphs.h"

namespace alignsae {
namespace {

// calloc leaves large blocks to the system, which hands out zero pages on first
// touch; at::zeros would write (and so occupy) every page of every slot now.
at::Tensor LazyZeros(at::IntArrayRef shape, at::ScalarType type,
                     at::Device device) {
  if (!device.is_cpu()) {
    return at::zeros(shape, at::TensorOptions(type).device(device));
  }
  const size_t count = c10::multiply_integers(shape);
  void* memory = std::calloc(count, c10::elementSize(type));
  if (memory == nullptr) throw std::bad_alloc();
  return at::from_blob(
      memory, shape, [](void* block) { std::free(block); }, type);
}

}  // namespace

KvCache::KvCache(const TransformerFacts& facts, int slots, at::Device device,
                 KvType type)
    : KvCache(facts, slots, device, type,
              device.is_cpu() ? KvLayout::kBlocks : KvLayout::kPlain) {}

KvCache::KvCache(const TransformerFacts& facts, int slots, at::Device device,
                 KvType type, KvLayout layout)
    : slots_(slots),
      context_length_(facts.context_length),
      heads_(facts.n_head),
      type_(type),
      layout_(layout),
      graphs_(std::make_unique<DecodeGraphs>()) {
  key_block_ = int64_t{kKeyBlock} * facts.head_dim();
  value_block_ = kKeyBlock * PaddedHeadDim(facts.head_dim());
  const int64_t blocks = PaddedPositions(context_length_) / kKeyBlock;
  key_slot_ = blocks * heads_ * key_block_;
  value_slot_ = blocks * heads_ * value_block_;
  const at::ScalarType stored =
      type_ == KvType::kBf16 ? at::kBFloat16 : at::kFloat;
  for (int layer = 0; layer < facts.n_layer; ++layer) {
    if (layout_ == KvLayout::kBlocks) {
      keys_.push_back(LazyZeros({slots, key_slot_}, stored, device));
      values_.push_back(LazyZeros({slots, value_slot_}, stored, device));
    } else {
      const std::vector<int64_t> shape = {int64_t{slots} * context_length_ + 1,
                                          heads_, facts.head_dim()};
      keys_.push_back(LazyZeros(shape, stored, device));
      values_.push_back(LazyZeros(shape, stored, device));
    }
  }
}

void KvCache::Copy(int from, int to, int positions, int layers) {
  if (from == to) return;
  const int64_t blocks = PaddedPositions(positions) / kKeyBlock;
  const auto copy = [&](const at::Tensor& memory, int64_t block) {
    if (layout_ == KvLayout::kBlocks) {
      const int64_t count = blocks * heads_ * block;
      memory[to].narrow(0, 0, count).copy_(memory[from].narrow(0, 0, count));
      return;
    }
    const int64_t context = context_length_;
    memory.narrow(0, to * context, positions)
        .copy_(memory.narrow(0, from * context, positions));
  };
  for (int layer = 0; layer < layers; ++layer) {
    copy(keys_[layer], key_block_);
    copy(values_[layer], value_block_);
  }
}

KvCache::KvCache(KvCache&&) noexcept = default;
KvCache& KvCache::operator=(KvCache&&) noexcept = default;
KvCache::~KvCache() = default;

}  // namespace alignsae
