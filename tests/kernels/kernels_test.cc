// Every instruction set's kernels against plain double arithmetic.

#include "model/kernels/kernels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> Random(size_t count, uint64_t seed, double spread = 1) {
  CounterRng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(spread * (2 * rng.NextUniform() - 1));
  }
  return values;
}

float FromBf16(Bf16 bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float value = 0;
  std::memcpy(&value, &wide, sizeof(value));
  return value;
}

class KernelsTest : public ::testing::TestWithParam<const Kernels*> {
 protected:
  const Kernels& kernels_ = *GetParam();
};

std::vector<const Kernels*> AllSets() {
  const KernelSets all = AllCpuKernels();
  return {all.sets, all.sets + all.count};
}

INSTANTIATE_TEST_SUITE_P(, KernelsTest, ::testing::ValuesIn(AllSets()),
                         [](const auto& set) {
                           return std::string(set.param->name);
                         });

TEST(CpuKernelsTest, BaselineIsAlwaysThereAndTheBestComesFirst) {
  const std::vector<const Kernels*> sets = AllSets();
  EXPECT_STREQ(sets.back()->name, "baseline");
  EXPECT_EQ(sets.front(), &CpuKernels());
}

// Widths with and without a rest behind the last whole vector.
constexpr int kWidths[] = {1, 7, 16, 48, 53, 768};

TEST_P(KernelsTest, LayerNormEqualsItsFormula) {
  for (int width : kWidths) {
    const std::vector<float> x = Random(3 * width, 1, 5);
    const std::vector<float> weight = Random(width, 2);
    const std::vector<float> bias = Random(width, 3);
    std::vector<float> y(3 * width);
    std::vector<Bf16> narrow(3 * width);
    kernels_.layer_norm_f32(x.data(), 3, width, weight.data(), bias.data(),
                            1e-5f, y.data());
    kernels_.layer_norm_bf16(x.data(), 3, width, weight.data(), bias.data(),
                             1e-5f, narrow.data());
    for (int row = 0; row < 3; ++row) {
      double mean = 0, variance = 0;
      for (int i = 0; i < width; ++i) mean += x[row * width + i];
      mean /= width;
      for (int i = 0; i < width; ++i) {
        variance += std::pow(x[row * width + i] - mean, 2) / width;
      }
      for (int i = 0; i < width; ++i) {
        const double expected = (x[row * width + i] - mean) /
                                    std::sqrt(variance + 1e-5) * weight[i] +
                                bias[i];
        EXPECT_NEAR(y[row * width + i], expected, 1e-5);
        EXPECT_NEAR(FromBf16(narrow[row * width + i]), expected,
                    std::abs(expected) / 256 + 1e-5);
      }
    }
  }
}

TEST_P(KernelsTest, LayerNormOfARowThatOverflowsIsNan) {
  for (float bad : {kNan, kInfinity, 1e30f}) {
    std::vector<float> x = Random(32, 1);
    x[5] = bad;
    const std::vector<float> ones(32, 1);
    std::vector<float> y(32);
    kernels_.layer_norm_f32(x.data(), 1, 32, ones.data(), ones.data(), 1e-5f,
                            y.data());
    for (float value : y) EXPECT_TRUE(std::isnan(value)) << bad;
  }
}

TEST_P(KernelsTest, Bf16IsTheNearestWithTiesToEven) {
  // Halfway between two neighbours: 1 + 2^-8 goes down to 1, 1 + 3 * 2^-8 up.
  const std::vector<float> x = {1.0f,      1.00390625f, 1.01171875f, -2.5f,
                                kInfinity, -kInfinity,  0.0f,        3.4e38f,
                                1.005f,    -1e-40f};
  std::vector<Bf16> y(x.size());
  kernels_.to_bf16(x.data(), static_cast<int64_t>(x.size()), y.data());
  EXPECT_EQ(FromBf16(y[1]), 1.0f);
  EXPECT_EQ(FromBf16(y[2]), 1.015625f);
  EXPECT_EQ(FromBf16(y[3]), -2.5f);
  EXPECT_EQ(FromBf16(y[4]), kInfinity);
  EXPECT_EQ(FromBf16(y[5]), -kInfinity);
  EXPECT_EQ(FromBf16(y[7]), kInfinity);
  EXPECT_EQ(FromBf16(y[8]), 1.0078125f);
  std::vector<float> nan(17, kNan);
  uint32_t bits = 0x7f800001;  // Its only payload bit would be rounded away.
  std::memcpy(&nan[3], &bits, sizeof(bits));
  std::vector<Bf16> still(17);
  kernels_.to_bf16(nan.data(), 17, still.data());
  for (Bf16 value : still) EXPECT_TRUE(std::isnan(FromBf16(value)));
}

// A cache of one head, and what attention over it should give.
struct Head {
  int head_dim;
  std::vector<float> keys, values;  // [T, K] as given.
  std::vector<float> key_blocks, value_rows;
  std::vector<Bf16> narrow_keys, narrow_values;

  Head(const Kernels& kernels, int positions, int dim, uint64_t seed)
      : head_dim(dim),
        keys(Random(positions * dim, seed)),
        values(Random(positions * dim, seed + 1)),
        key_blocks(2 * PaddedPositions(positions) * dim, kNan),
        value_rows(2 * PaddedPositions(positions) * PaddedHeadDim(dim), kNan),
        narrow_keys(key_blocks.size(), 0x7fc0),
        narrow_values(value_rows.size(), 0x7fc0) {
    for (int t = 0; t < positions; ++t) {
      kernels.store_f32(&keys[t * dim], &values[t * dim], dim, t, f32());
      kernels.store_bf16(&keys[t * dim], &values[t * dim], dim, t, bf16());
    }
  }
  // Blocks of one head, with room for another head's between them.
  HeadCache<float> f32() {
    return {key_blocks.data(), value_rows.data(), KeyStride(), ValueStride()};
  }
  HeadCache<Bf16> bf16() {
    return {narrow_keys.data(), narrow_values.data(), KeyStride(),
            ValueStride()};
  }
  int64_t KeyStride() const { return 2 * 16 * head_dim; }
  int64_t ValueStride() const { return 2 * 16 * PaddedHeadDim(head_dim); }
};

template <typename E>
HeadCache<const E> ReadOnly(const HeadCache<E>& cache) {
  return {cache.keys, cache.values, cache.key_stride, cache.value_stride};
}

// Position t is of `prefix` below `shared`, else of `own`.
std::vector<double> Attended(const float* query, const Head& prefix,
                             const Head& own, int shared, int visible,
                             double scale) {
  const int dim = own.head_dim;
  std::vector<double> weights, context(dim);
  double total = 0;
  for (int t = 0; t < visible; ++t) {
    const Head& of = t < shared ? prefix : own;
    double score = 0;
    for (int d = 0; d < dim; ++d) score += query[d] * of.keys[t * dim + d];
    weights.push_back(std::exp(score * scale));
    total += weights.back();
  }
  for (int t = 0; t < visible; ++t) {
    const Head& of = t < shared ? prefix : own;
    for (int d = 0; d < dim; ++d) {
      context[d] += weights[t] / total * of.values[t * dim + d];
    }
  }
  return context;
}

template <typename E, typename Out>
AttentionTask<E, Out> Task(const std::vector<float>& queries, int dim,
                           std::vector<float>& scratch, Out* context) {
  AttentionTask<E, Out> task;
  task.queries = queries.data();
  task.query_stride = dim + 3;
  task.head_dim = dim;
  task.scale = 0.7f;
  task.scratch = scratch.data();
  task.context = context;
  task.context_stride = dim + 5;
  return task;
}

TEST_P(KernelsTest, AttentionOverPrefixAndOwnKeysEqualsItsFormula) {
  constexpr int kPositions = 70;
  for (int dim : {4, 16, 20, 64, 80}) {
    Head prefix(kernels_, kPositions, dim, 10);
    Head own(kernels_, kPositions, dim, 20);
    const std::vector<float> queries = Random(4 * (dim + 3), 30, 2);
    std::vector<float> scratch(4 * PaddedPositions(kPositions));
    for (int count : {1, 2, 3, 4}) {
      for (int visible : {1, 5, 16, 33, 66}) {
        for (int shared : {0, 1, 16, 20, 64}) {
          if (shared > visible) continue;
          std::vector<float> exact(4 * (dim + 5), kNan), mixed(exact);
          std::vector<Bf16> narrow(4 * (dim + 5));
          auto task = Task<float, float>(queries, dim, scratch, exact.data());
          auto wide = Task<Bf16, float>(queries, dim, scratch, mixed.data());
          auto half = Task<Bf16, Bf16>(queries, dim, scratch, narrow.data());
          task.count = wide.count = half.count = count;
          task.visible = wide.visible = half.visible = visible;
          task.shared = wide.shared = half.shared = shared;
          task.prefix = ReadOnly(prefix.f32());
          task.own = ReadOnly(own.f32());
          wide.prefix = half.prefix = ReadOnly(prefix.bf16());
          wide.own = half.own = ReadOnly(own.bf16());
          kernels_.attend_f32(task);
          kernels_.attend_bf16_to_f32(wide);
          kernels_.attend_bf16(half);
          for (int q = 0; q < count; ++q) {
            const std::vector<double> expected = Attended(
                &queries[q * (dim + 3)], prefix, own, shared, visible + q, 0.7);
            for (int d = 0; d < dim; ++d) {
              const int at = q * (dim + 5) + d;
              ASSERT_NEAR(exact[at], expected[d], 2e-5)
                  << dim << " " << count << " " << visible << " " << shared;
              ASSERT_NEAR(mixed[at], expected[d], 0.03);
              ASSERT_NEAR(FromBf16(narrow[at]), expected[d], 0.035);
            }
            // Nothing is written between the rows.
            EXPECT_TRUE(std::isnan(exact[q * (dim + 5) + dim]));
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, QueryGetsTheSameBitsWithWhateverQueriesAndPrefix) {
  constexpr int kDim = 24;
  Head head(kernels_, 60, kDim, 10);
  const std::vector<float> queries = Random(4 * (kDim + 3), 30, 2);
  std::vector<float> scratch(4 * 64);
  const auto attend = [&](int first, int count, int shared) {
    std::vector<float> context(4 * (kDim + 5));
    auto task = Task<float, float>(queries, kDim, scratch, context.data());
    task.queries += first * task.query_stride;
    task.count = count;
    task.visible = 41 + first;
    task.shared = shared;
    task.prefix = task.own = ReadOnly(head.f32());
    kernels_.attend_f32(task);
    return context;
  };
  const std::vector<float> together = attend(0, 4, 0);
  for (int q = 0; q < 4; ++q) {
    for (int shared : {0, 7, 16, 40}) {
      const std::vector<float> alone = attend(q, 1, shared);
      for (int d = 0; d < kDim; ++d) {
        ASSERT_EQ(alone[d], together[q * (kDim + 5) + d]) << q << " " << shared;
      }
    }
  }
}

TEST_P(KernelsTest, NanInAKeyReachesTheContext) {
  Head head(kernels_, 20, 16, 10);
  for (bool in_value : {false, true}) {
    std::vector<float> key = Random(16, 1), value = Random(16, 2);
    (in_value ? value : key)[3] = kNan;
    kernels_.store_f32(key.data(), value.data(), 16, 11, head.f32());
    const std::vector<float> queries = Random(4 * 19, 30);
    std::vector<float> scratch(4 * 32), context(4 * 21);
    auto task = Task<float, float>(queries, 16, scratch, context.data());
    task.count = 1;
    task.prefix = task.own = ReadOnly(head.f32());
    task.visible = 11;  // Not seen yet.
    kernels_.attend_f32(task);
    EXPECT_TRUE(std::isfinite(context[3]));
    task.visible = 12;
    kernels_.attend_f32(task);
    EXPECT_TRUE(std::isnan(context[3]));
    kernels_.store_f32(&head.keys[11 * 16], &head.values[11 * 16], 16, 11,
                       head.f32());
  }
}

TEST_P(KernelsTest, QuantizedRowsComeBackWithinHalfAStep) {
  for (int width : kWidths) {
    std::vector<float> x = Random(3 * width, 7, 4);
    std::fill(x.begin() + width, x.begin() + 2 * width, 0.0f);
    std::vector<uint8_t> bytes(3 * width);
    std::vector<float> scales(3);
    kernels_.quantize(x.data(), 3, width, bytes.data(), scales.data());
    EXPECT_EQ(scales[1], 0);
    for (int i = 0; i < 3 * width; ++i) {
      const float scale = scales[i / width];
      EXPECT_NEAR((bytes[i] - 128) * scale, x[i], scale * 0.5001) << width;
    }
  }
}

TEST_P(KernelsTest, RowThatIsNotFiniteHasANanScale) {
  for (float bad : {kNan, kInfinity}) {
    std::vector<float> x = Random(2 * 20, 7);
    x[18] = bad;  // Behind the last whole vector.
    std::vector<uint8_t> bytes(40);
    std::vector<float> scales(2);
    kernels_.quantize(x.data(), 2, 20, bytes.data(), scales.data());
    EXPECT_TRUE(std::isnan(scales[0]));
    EXPECT_TRUE(std::isfinite(scales[1]));
  }
}

TEST_P(KernelsTest, Int8EpilogueGivesTheProductOfTheRoundedNumbers) {
  constexpr int kRows = 2;
  for (int width : kWidths) {
    std::vector<int32_t> sums(kRows * width), column_sums(width);
    CounterRng rng(5);
    for (int32_t& sum : sums) {
      sum = static_cast<int32_t>(rng.NextBelow(4000000)) - 2000000;
    }
    for (int32_t& sum : column_sums) {
      sum = static_cast<int32_t>(rng.NextBelow(2000)) - 1000;
    }
    const std::vector<float> scales = Random(width, 8, 0.001);
    const std::vector<float> bias = Random(width, 9);
    const std::vector<float> before = Random(kRows * width, 10);
    const float row_scales[kRows] = {0.01f, 0.002f};
    const Int8Epilogue epilogue = {scales.data(), column_sums.data(),
                                   bias.data(), width};
    std::vector<float> stored(kRows * width), added = before, gelu = stored;
    kernels_.int8_store(sums.data(), row_scales, kRows, epilogue,
                        stored.data());
    kernels_.int8_add(sums.data(), row_scales, kRows, epilogue, added.data());
    kernels_.int8_gelu(sums.data(), row_scales, kRows, epilogue, gelu.data());
    for (int i = 0; i < kRows * width; ++i) {
      const int c = i % width;
      const double y = (sums[i] - 128.0 * column_sums[c]) *
                           row_scales[i / width] * scales[c] +
                       bias[c];
      EXPECT_NEAR(stored[i], y, 1e-4);
      EXPECT_NEAR(added[i], y + before[i], 1e-4);
      const double inner =
          std::sqrt(2 / std::acos(-1.0)) * (y + 0.044715 * y * y * y);
      EXPECT_NEAR(gelu[i], 0.5 * y * (1 + std::tanh(inner)), 1e-4);
    }
  }
}

TEST_P(KernelsTest, SummaryOfLogitsIsTheArgmaxAndTheLogOfTheSum) {
  for (int count : {1, 3, 16, 97, 5000, 50257}) {
    std::vector<float> logits = Random(count, count, 20);
    const int best = count * 2 / 3;
    logits[best] = 20.5f;
    if (best + 1 < count) logits[count - 1] = 20.5f;  // Only the first counts.
    double sum = 0;
    for (float logit : logits) sum += std::exp(logit - 20.5);
    const LogitSummary summary = kernels_.summarize(logits.data(), count);
    EXPECT_TRUE(summary.finite);
    EXPECT_EQ(summary.best, best);
    EXPECT_EQ(summary.max, 20.5f);
    EXPECT_NEAR(summary.log_sum, std::log(sum), 1e-6);
    for (float bad : {kNan, kInfinity, -kInfinity}) {
      for (int at : {0, count / 2, count - 1}) {
        std::vector<float> spoilt = logits;
        spoilt[at] = bad;
        EXPECT_FALSE(kernels_.summarize(spoilt.data(), count).finite);
      }
    }
  }
}

}  // namespace
}  // namespace alignsae
