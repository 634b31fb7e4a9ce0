// The kernels' attention against LibTorch's, over the same rows and caches.

#include "model/transformer/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/gpt2/block.h"
#include "model/gpt2/gpt2.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

Gpt2Config Shape(int heads, int head_dim) {
  return {.n_layer = 3,
          .n_head = heads,
          .d_model = heads * head_dim,
          .d_inner = 4,
          .context_length = 300,
          .vocab_size = 5};
}

// Prompts, chunks, single tokens and forks, in slots that are not in row order.
std::vector<PackedRow> MixedRows() {
  const auto row = [](int slot, int start, int length, PromptFork fork = {}) {
    PackedRow made;
    made.kv_slot = slot;
    made.start = start;
    made.length = length;
    made.fork = fork;
    return made;
  };
  // Two variants of slot 6's prompt of 20 tokens part at position 13, site 1.
  const PromptFork fork = {
      .kv_slot = 6, .site = 1, .position = 13, .length = 20};
  return {row(3, 0, 5),        row(1, 40, 1),       row(7, 17, 30),
          row(0, 0, 260),      row(2, 13, 7, fork), row(4, 13, 7, fork),
          row(5, 22, 1, fork), row(6, 22, 1, fork)};
}

// Fills positions [0, 60) of every slot.
void Fill(KvCache& cache, const Gpt2Config& config, int layer) {
  std::vector<PackedRow> rows;
  for (int slot = 0; slot < cache.slots(); ++slot) {
    PackedRow row;
    row.kv_slot = slot;
    row.length = 60;
    rows.push_back(row);
  }
  StoreKeysValues(UniformTensor({60 * cache.slots(), 2 * config.d_model}, 1, 5),
                  Pack(std::move(rows)), cache, AttentionOf(config, layer),
                  layer);
}

at::Tensor Attended(const Gpt2Config& config, KvType type, KvLayout layout,
                    int layer, at::ScalarType out) {
  KvCache cache(config.facts(), 8, at::kCPU, type, layout);
  Fill(cache, config, layer);
  const Packing packing = Pack(MixedRows());
  const at::Tensor qkv =
      UniformTensor({packing.tokens, 3 * config.d_model}, 1, 9);
  const int64_t d = config.d_model;
  StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                  AttentionOf(config, layer), layer);
  return CachedAttention(qkv.narrow(1, 0, d), packing, cache,
                         AttentionOf(config, layer), layer, out);
}

TEST(AttentionTest, KernelsAgreeWithLibTorchOnMixedRowsAndForks) {
  for (const Gpt2Config& config : {Shape(2, 8), Shape(3, 20), Shape(2, 64)}) {
    for (int layer : {0, 1}) {  // Below and above the fork's site.
      const at::Tensor plain =
          Attended(config, KvType::kF32, KvLayout::kPlain, layer, at::kFloat);
      const auto difference = [&](KvType type, at::ScalarType out) {
        return (Attended(config, type, KvLayout::kBlocks, layer, out)
                    .to(at::kFloat) -
                plain)
            .abs()
            .max()
            .item<double>();
      };
      EXPECT_LT(difference(KvType::kF32, at::kFloat), 1e-5);
      EXPECT_LT(difference(KvType::kBf16, at::kFloat), 0.02);
      EXPECT_LT(difference(KvType::kBf16, at::kBFloat16), 0.02);
    }
  }
}

TEST(AttentionTest, ForkReadsItsPrefixFromTheSharedSlot) {
  const Gpt2Config config = Shape(2, 8);
  for (KvLayout layout : {KvLayout::kBlocks, KvLayout::kPlain}) {
    for (int layer : {0, 1}) {
      const auto last = [&](bool spoil_own) {
        KvCache cache(config.facts(), 2, at::kCPU, KvType::kF32, layout);
        PackedRow prompt;
        prompt.kv_slot = 0;
        prompt.length = 20;
        StoreKeysValues(UniformTensor({20, 2 * config.d_model}, 1, 5),
                        Pack({prompt}), cache, AttentionOf(config, layer),
                        layer);
        PackedRow own = prompt;  // What the fork's own slot holds there.
        own.kv_slot = 1;
        StoreKeysValues(
            UniformTensor({20, 2 * config.d_model}, spoil_own ? 50 : 1, 6),
            Pack({own}), cache, AttentionOf(config, layer), layer);
        PackedRow fork;
        fork.kv_slot = 1;
        fork.start = 20;
        fork.length = 1;
        fork.fork = {.kv_slot = 0, .site = 1, .position = 20, .length = 20};
        const at::Tensor qkv = UniformTensor({1, 3 * config.d_model}, 1, 7);
        const Packing packing = Pack({fork});
        const int64_t d = config.d_model;
        StoreKeysValues(qkv.narrow(1, d, 2 * d), packing, cache,
                        AttentionOf(config, layer), layer);
        return CachedAttention(qkv.narrow(1, 0, d), packing, cache,
                               AttentionOf(config, layer), layer, at::kFloat);
      };
      EXPECT_TRUE(at::equal(last(false), last(true)));
    }
  }
}

}  // namespace
}  // namespace alignsae
