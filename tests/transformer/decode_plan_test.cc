// The table of a decode step, and steps by it against the general way.

#include "model/transformer/decode_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/test_device.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

constexpr int kSlots = 8;
constexpr int kContext = 200;

Gpt2Config Shape() {
  Gpt2Config config = TinyGpt2Config();
  config.context_length = kContext;
  return config;
}

PackedRow Token(int slot, int start, PromptFork fork = {}) {
  PackedRow row;
  row.kv_slot = slot;
  row.start = start;
  row.length = 1;
  row.logits = 1;
  row.exit_site = Shape().n_layer;
  row.fork = fork;
  return row;
}

std::vector<int64_t> Numbers(const at::Tensor& tensor) {
  const at::Tensor host = tensor.to(at::kCPU, at::kLong).contiguous();
  return {host.data_ptr<int64_t>(), host.data_ptr<int64_t>() + host.numel()};
}

TEST(DecodePlanTest, OneTokenARowWithLogitsIsADecodeStep) {
  EXPECT_TRUE(IsDecode({{Token(0, 3), Token(4, 0)}}));
  EXPECT_FALSE(IsDecode({}));
  PackedRow longer = Token(0, 3), silent = Token(0, 3), trunk = Token(0, 3),
            variant = Token(0, 3);
  longer.length = 2;
  silent.logits = 0;
  trunk.is_trunk = true;
  variant.continues = 0;
  for (const PackedRow& row : {longer, silent, trunk, variant}) {
    EXPECT_FALSE(IsDecode({{Token(4, 0), row}}));
  }
}

TEST(DecodePlanTest, ShapesAreRoundedUpWithinTheContext) {
  const std::vector<PackedRow> rows = {Token(0, 3), Token(1, 64), Token(2, 9)};
  EXPECT_EQ(ShapeOf(rows, kContext, false), (DecodeShape{3, 65, false}));
  EXPECT_EQ(ShapeOf(rows, kContext, true), (DecodeShape{4, 128, false}));
  EXPECT_EQ(ShapeOf({{Token(0, 63)}}, kContext, true),
            (DecodeShape{1, 64, false}));
  const PromptFork fork = {.kv_slot = 2, .site = 1, .position = 3, .length = 5};
  EXPECT_EQ(ShapeOf({{Token(0, 199, fork)}}, kContext, true),
            (DecodeShape{1, kContext, true}));
}

TEST(DecodePlanTest, KeysComeFromTheRowsSlotAndFromWhatAForkShares) {
  KvCache cache(Shape().facts(), kSlots, TestDevice(), KvType::kF32,
                KvLayout::kPlain);
  const PromptFork fork = {.kv_slot = 2, .site = 1, .position = 3, .length = 5};
  const std::vector<PackedRow> rows = {Token(1, 2), Token(4, 5, fork),
                                       Token(2, 6, fork)};
  const DecodeShape shape = {.batch = 4, .keys = 8, .forks = true};
  const DecodePlan plan(
      DecodeNumbers({{11, 12, 13}}, rows, shape, cache).to(TestDevice()), shape,
      /*heads=*/2);
  EXPECT_THAT(Numbers(plan.ids), ElementsAre(11, 12, 13, 0));
  EXPECT_THAT(Numbers(plan.positions), ElementsAre(2, 5, 6, 0));
  EXPECT_THAT(Numbers(plan.stored), ElementsAre(202, 805, 406, 1600));
  const auto keys = [&](int layer, int row) {  // Of the second head.
    return Numbers(plan.Cached(layer)[row][1].sub(1).floor_divide(2));
  };
  EXPECT_THAT(keys(0, 0), ElementsAre(200, 201, 202, 200, 200, 200, 200, 200));
  EXPECT_THAT(keys(0, 1), ElementsAre(400, 401, 402, 403, 404, 805, 400, 400));
  EXPECT_THAT(keys(1, 1), ElementsAre(400, 401, 402, 803, 804, 805, 400, 400));
  EXPECT_THAT(keys(1, 3),
              ElementsAre(1600, 1600, 1600, 1600, 1600, 1600, 1600, 1600));
  EXPECT_THAT(Numbers(plan.mask[1].isinf()),
              ElementsAre(0, 0, 0, 0, 0, 0, 1, 1));
}

// A hook that does nothing, for which a step cannot run as one piece.
class Watching : public ResidualHook {
 public:
  void OnResidual(int, absl::Span<const PackedRow>, at::Tensor&) override {}
};

// Steps of five tokens of six sequences of different lengths, two of which are
// variants of one prompt -> logits [5 * 6, V].
at::Tensor Steps(const Gpt2& model, ResidualHook* hook, bool poisoned) {
  KvCache cache(model.facts(), kSlots, TestDevice(), model.kv_type(),
                KvLayout::kPlain);
  if (poisoned) {
    for (int layer = 0; layer < model.facts().n_layer; ++layer) {
      at::Tensor(cache.keys(layer))
          .narrow(0, 0, kSlots * kContext)
          .fill_(std::nanf(""));
    }
  }
  std::vector<PackedRow> rows;
  for (int i = 0; i < 5; ++i) {
    PackedRow prompt = Token(i, 0);
    prompt.length = 3 + 14 * i;
    model.Forward(RandomTokens(Shape(), prompt.length, 10 + i), {prompt}, cache,
                  nullptr);
    rows.push_back(Token(i, prompt.length));
  }
  // Of the prompt in slot 4, in another slot; nothing is its own yet.
  const PromptFork fork = {
      .kv_slot = 4, .site = Shape().n_layer, .position = 58, .length = 59};
  rows[4].fork = fork;
  rows.push_back(Token(6, 59, fork));
  std::vector<at::Tensor> logits;
  for (int step = 0; step < 5; ++step) {
    logits.push_back(
        model.Forward(RandomTokens(Shape(), 6, 40 + step), rows, cache, hook)
            .cpu()
            .clone());
    for (PackedRow& row : rows) ++row.start;
  }
  return at::cat(logits);
}

TEST(DecodePlanTest, StepsAreThoseOfTheGeneralWay) {
  Watching general;
  for (WeightType type : {WeightType::kF32, WeightType::kBf16}) {
    if (type != WeightType::kF32 && TestDevice().is_cpu()) continue;
    const Gpt2 model(Shape(), OnDevice(WideWeights(Shape(), 4), TestDevice()),
                     type);
    const at::Tensor expected = Steps(model, &general, false);
    const at::Tensor found = Steps(model, nullptr, false);
    const double scale = expected.abs().max().item<double>();
    EXPECT_LT((found - expected).abs().max().item<double>(),
              scale * (type == WeightType::kF32 ? 1e-5 : 2e-2));
  }
}

TEST(DecodePlanTest, WhatAnEarlierOwnerLeftInASlotIsNotRead) {
  const Gpt2 model(Shape(), OnDevice(WideWeights(Shape(), 4), TestDevice()));
  EXPECT_TRUE(
      at::equal(Steps(model, nullptr, false), Steps(model, nullptr, true)));
}

}  // namespace
}  // namespace alignsae
