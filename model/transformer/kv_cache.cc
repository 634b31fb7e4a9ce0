#include "model/transformer/kv_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <new>

#include "model/base/dcheck.h"
#include "model/transformer/decode_graphs.h"

namespace alignsae {
namespace {

// On the CPU addresses alone: the system gives a zero page on first touch.
// Small ones, so that what is touched is what is needed, and no promise of
// memory for all of it, which the slots are never given at once.
at::Tensor LazyZeros(at::IntArrayRef shape, at::ScalarType type,
                     at::Device device) {
  if (!device.is_cpu()) {
    return at::zeros(shape, at::TensorOptions(type).device(device));
  }
  const size_t bytes = c10::multiply_integers(shape) * c10::elementSize(type);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  madvise(memory, bytes, MADV_NOHUGEPAGE);  // A wish.
  return at::from_blob(
      memory, shape, [bytes](void* block) { munmap(block, bytes); }, type);
}

// Gives back the whole pages of [begin, end).
void ReleasePages(char* begin, char* end) {
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first =
      (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const uintptr_t last = reinterpret_cast<uintptr_t>(end) / page * page;
  if (first >= last) return;
  madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
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

void KvCache::Trim(int slot, int begin, int end) {
  ALIGNSAE_DCHECK(0 <= begin && begin <= end && end <= context_length_);
  if (layout_ == KvLayout::kPlain) return;
  const int64_t first = begin == end ? 0 : begin / kKeyBlock;
  const int64_t last = begin == end ? 0 : PaddedPositions(end) / kKeyBlock;
  const auto trim = [&](const at::Tensor& memory, int64_t block,
                        int64_t slot_size) {
    const auto bytes = static_cast<int64_t>(memory.element_size());
    char* const base =
        static_cast<char*>(memory.data_ptr()) + slot * slot_size * bytes;
    ReleasePages(base, base + first * heads_ * block * bytes);
    ReleasePages(base + last * heads_ * block * bytes,
                 base + slot_size * bytes);
  };
  for (const at::Tensor& keys : keys_) trim(keys, key_block_, key_slot_);
  for (const at::Tensor& values : values_) {
    trim(values, value_block_, value_slot_);
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
