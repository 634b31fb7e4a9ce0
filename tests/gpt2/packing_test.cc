#include "model/gpt2/packing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "model/gpt2/kv_cache.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

const Gpt2Config kConfig = {.n_layer = 1,
                            .n_head = 2,
                            .d_model = 4,
                            .d_inner = 4,
                            .context_length = 4096,
                            .vocab_size = 5};

PackedRow Row(int slot, int start, int length) {
  return {.kv_slot = slot, .start = start, .length = length};
}

Packing Packed(std::vector<PackedRow> rows,
               const Gpt2Config& config = kConfig) {
  return Pack(std::move(rows), config, at::kCPU);
}

std::vector<int64_t> Values(const at::Tensor& tensor) {
  const int64_t* data = tensor.data_ptr<int64_t>();
  return {data, data + tensor.numel()};
}

// Packed rows that attention writes, of all groups.
std::vector<int> Coverage(const Packing& packing) {
  std::vector<int> times(packing.tokens, 0);
  for (const AttentionGroup& group : packing.groups) {
    for (int64_t row : Values(group.packed.indices())) ++times[row];
  }
  return times;
}

TEST(PackingTest, LaysRowsOutInTheirOrder) {
  const Packing packing = Packed({Row(5, 0, 3), Row(2, 7, 1), Row(4, 2, 2)});
  EXPECT_EQ(packing.tokens, 6);
  EXPECT_EQ(packing.rows[0].offset, 0);
  EXPECT_EQ(packing.rows[1].offset, 3);
  EXPECT_EQ(packing.rows[2].offset, 4);
  EXPECT_THAT(Values(packing.slots), ElementsAre(5, 5, 5, 2, 4, 4));
  EXPECT_THAT(Values(packing.positions), ElementsAre(0, 1, 2, 7, 2, 3));
}

TEST(PackingTest, EveryTokenAttendsInExactlyOneGroup) {
  const Packing packing =
      Packed({Row(0, 0, 700), Row(1, 10, 1), Row(2, 0, 33), Row(3, 2000, 1),
              Row(4, 900, 256), Row(5, 0, 1), Row(6, 0, 30)});
  EXPECT_THAT(Coverage(packing), ::testing::Each(1));
}

TEST(PackingTest, DecodeTokensOfSimilarAgeShareOneGroupWithoutPadding) {
  const Packing packing =
      Packed({Row(3, 20, 1), Row(0, 31, 1), Row(2, 25, 1), Row(1, 40, 1)});
  ASSERT_THAT(packing.groups, SizeIs(1));
  const AttentionGroup& group = packing.groups[0];
  EXPECT_EQ(group.pieces, 4);
  EXPECT_EQ(group.queries, 1);
  EXPECT_EQ(group.keys, 41);
  EXPECT_THAT(Values(group.slots.indices()), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Values(group.packed.indices()), ElementsAre(1, 3, 2, 0));
}

TEST(PackingTest, DecodeTokenDoesNotShareARectangleWithALongPrompt) {
  const Packing packing = Packed({Row(0, 0, 200), Row(1, 199, 1)});
  ASSERT_THAT(packing.groups, SizeIs(2));
  EXPECT_EQ(packing.groups[0].queries, 1);
  EXPECT_EQ(packing.groups[1].queries, 200);
}

TEST(PackingTest, YoungSequenceDoesNotReadTheKeysOfAnOldOne) {
  const Packing packing = Packed({Row(0, 1000, 1), Row(1, 5, 1)});
  ASSERT_THAT(packing.groups, SizeIs(2));
  EXPECT_EQ(packing.groups[0].keys, 6);
  EXPECT_EQ(packing.groups[1].keys, 1001);
}

TEST(PackingTest, RowsOfEqualShapeShareAGroup) {
  const Packing packing = Packed({Row(0, 0, 9), Row(1, 3, 1), Row(2, 0, 300),
                                  Row(3, 0, 9), Row(4, 0, 40), Row(5, 0, 9)});
  int found = 0;
  for (const AttentionGroup& group : packing.groups) {
    const std::vector<int64_t> slots = Values(group.slots.indices());
    found += static_cast<int>(std::count(slots.begin(), slots.end(), 0));
    EXPECT_EQ(std::count(slots.begin(), slots.end(), 0),
              std::count(slots.begin(), slots.end(), 3));
    EXPECT_EQ(std::count(slots.begin(), slots.end(), 0),
              std::count(slots.begin(), slots.end(), 5));
  }
  EXPECT_EQ(found, 1);
}

TEST(PackingTest, LongPromptIsCutSoThatScoresStaySmall) {
  std::vector<PackedRow> rows;
  for (int slot = 0; slot < 40; ++slot) rows.push_back(Row(slot, 0, 2000));
  Gpt2Config config = kConfig;
  config.n_head = 4;
  const Packing packing = Packed(rows, config);
  EXPECT_THAT(Coverage(packing), ::testing::Each(1));
  for (const AttentionGroup& group : packing.groups) {
    EXPECT_LE(group.queries, kMaxQueries);
    EXPECT_LE(group.pieces * config.n_head * group.queries * group.keys,
              kMaxGroupScores);
  }
}

TEST(PackingTest, OnePieceMayExceedTheScoresLimitRatherThanNeverRun) {
  Gpt2Config config = kConfig;
  config.d_model = config.n_head = 1024;
  const Packing packing = Packed({Row(0, 4000, 90), Row(1, 4000, 90)}, config);
  EXPECT_THAT(packing.groups, SizeIs(2));
  EXPECT_THAT(Coverage(packing), ::testing::Each(1));
}

TEST(PackingTest, MaskIsCausalAndHidesWhatIsBeyondASequence) {
  const Packing packing = Packed({Row(0, 1, 2), Row(1, 0, 3)});
  ASSERT_THAT(packing.groups, SizeIs(1));
  const at::Tensor& mask = packing.groups[0].mask;
  ASSERT_THAT(mask.sizes(), ElementsAre(2, 1, 3, 3));
  std::vector<std::string> rows;
  for (int b = 0; b < 2; ++b) {
    for (int q = 0; q < 3; ++q) {
      std::string row;
      for (int k = 0; k < 3; ++k) {
        const float value = mask[b][0][q][k].item<float>();
        row += value == 0 ? '1' : std::isinf(value) && value < 0 ? '.' : '?';
      }
      rows.push_back(row);
    }
  }
  // The first sequence has two queries; the third line is padding.
  EXPECT_THAT(rows, ElementsAre("11.", "111", "111", "1..", "11.", "111"));
}

TEST(PackingTest, NoMaskWhereEveryQuerySeesEveryKey) {
  EXPECT_FALSE(Packed({Row(0, 8, 1), Row(1, 8, 1)}).groups[0].mask.defined());
  EXPECT_TRUE(Packed({Row(0, 8, 1), Row(1, 9, 1)}).groups[0].mask.defined());
}

TEST(IndexSetTest, ConsecutiveIndicesAreAView) {
  const at::Tensor values = at::arange(20).view({10, 2});
  const IndexSet run({3, 4, 5}, at::kCPU), jump({3, 5, 4}, at::kCPU);
  EXPECT_TRUE(at::equal(run.Take(values), values.narrow(0, 3, 3)));
  EXPECT_TRUE(run.Take(values).is_alias_of(values));
  EXPECT_TRUE(at::equal(jump.Take(values),
                        at::stack({values[3], values[5], values[4]})));
  EXPECT_FALSE(jump.Take(values).is_alias_of(values));
}

TEST(IndexSetTest, IsWholeOnlyFromZeroToTheEnd) {
  EXPECT_TRUE(IndexSet({0, 1, 2}, at::kCPU).IsWhole(3));
  EXPECT_FALSE(IndexSet({0, 1, 2}, at::kCPU).IsWhole(4));
  EXPECT_FALSE(IndexSet({1, 2, 3}, at::kCPU).IsWhole(3));
  EXPECT_FALSE(IndexSet({0, 2, 1}, at::kCPU).IsWhole(3));
}

}  // namespace
}  // namespace alignsae
