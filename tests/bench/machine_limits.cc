#include "tests/bench/machine_limits.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/transformer/kernel_plan.h"

namespace alignsae {
namespace {

double BestSeconds(int passes, const std::function<void()>& pass) {
  double best = 1e30;
  for (int i = 0; i < passes; ++i) {
    const auto start = std::chrono::steady_clock::now();
    pass();
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

double BytesPerWeight(WeightType type) {
  return type == WeightType::kF32 ? 4 : type == WeightType::kBf16 ? 2 : 1;
}

double BlockWeights(const Gpt2Config& config) {
  const double d = config.d_model;
  return config.n_layer * (4 * d * d + 2 * d * config.d_inner);
}

double HeadWeights(const Gpt2Config& config) {
  return static_cast<double>(config.vocab_size) * config.d_model;
}

// Sums `words` from `streams` places at once: one run of reads alone does not
// keep the memory busy.
template <size_t kStreams>
uint64_t SumStreams(const uint64_t* words, size_t count) {
  const size_t part = count / kStreams / 8 * 8;
  uint64_t lanes[kStreams][8] = {};
  for (size_t i = 0; i < part; i += 8) {
    for (size_t s = 0; s < kStreams; ++s) {
      for (size_t k = 0; k < 8; ++k) lanes[s][k] += words[s * part + i + k];
    }
  }
  uint64_t sum = 0;
  for (size_t s = 0; s < kStreams; ++s) {
    for (size_t k = 0; k < 8; ++k) sum += lanes[s][k];
  }
  return sum;
}

template <size_t kStreams>
double ReadRate(const uint64_t* words, size_t count) {
  std::vector<uint64_t> sums(at::get_num_threads() * 8);
  const double seconds = BestSeconds(4, [&] {
    const size_t threads = at::get_num_threads();
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        sums[t * 8] +=
            SumStreams<kStreams>(words + count / threads * t, count / threads);
      }
    });
  });
  return static_cast<double>(count * sizeof(uint64_t)) / seconds;
}

// Zeros on a boundary of 64 bytes: tiles and vectors of what lies across one
// take twice as long.
std::unique_ptr<void, decltype(&std::free)> Zeros(size_t bytes) {
  const size_t padded = (bytes + 63) / 64 * 64;
  std::unique_ptr<void, decltype(&std::free)> made(
      std::aligned_alloc(64, padded), &std::free);
  std::memset(made.get(), 0, padded);
  return made;
}

// The product alone, as the library's own user would write it. Without the
// instructions for bfloat16 it has none but in float32.
double MeasureGemm(WeightType type, int64_t rows, int64_t inputs,
                   int64_t outputs) {
  if (type == WeightType::kBf16 && HasNarrowLayout(type)) {
    type = WeightType::kF32;
  }
  using Memory = dnnl::memory;
  using Type = Memory::data_type;
  constexpr int kPasses = 20;
  const bool int8 = type == WeightType::kInt8;
  const Type source = int8                        ? Type::u8
                      : type == WeightType::kBf16 ? Type::bf16
                                                  : Type::f32;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto plain = [](int64_t height, int64_t width, Type element) {
    return Memory::desc({height, width}, element, Memory::format_tag::ab);
  };
  const dnnl::matmul::primitive_desc product(
      dnnl::matmul::desc(
          plain(rows, inputs, source),
          Memory::desc({inputs, outputs}, int8 ? Type::s8 : source,
                       Memory::format_tag::any),
          plain(rows, outputs, int8 ? Type::s32 : Type::f32)),
      engine);
  const auto x = Zeros(product.src_desc().get_size());
  const auto weights = Zeros(product.weights_desc().get_size());
  const auto y = Zeros(product.dst_desc().get_size());
  const std::unordered_map<int, Memory> arguments = {
      {DNNL_ARG_SRC, Memory(product.src_desc(), engine, x.get())},
      {DNNL_ARG_WEIGHTS, Memory(product.weights_desc(), engine, weights.get())},
      {DNNL_ARG_DST, Memory(product.dst_desc(), engine, y.get())}};
  const dnnl::matmul primitive(product);
  const double seconds = BestSeconds(kPasses, [&] {
    primitive.execute(stream, arguments);
    stream.wait();
  });
  return 2.0 * static_cast<double>(rows * inputs * outputs) / seconds;
}

double MultiplySeconds(WeightType type, int64_t rows, int64_t inputs,
                       int64_t outputs) {
  // The head's columns are alike: measuring some of them is enough.
  constexpr int64_t kMaxColumns = 8192;
  return 2.0 * static_cast<double>(rows * inputs * outputs) /
         GemmRate(type, rows, inputs, std::min(outputs, kMaxColumns));
}

}  // namespace

// In large pages, as the weights are.
double MemoryBandwidth() {
  constexpr size_t kBytes = size_t{512} << 20;
  constexpr size_t kHugePage = size_t{2} << 20;
  static const std::unique_ptr<void, decltype(&std::free)> memory = [] {
    std::unique_ptr<void, decltype(&std::free)> made(
        std::aligned_alloc(kHugePage, kBytes), &std::free);
    madvise(made.get(), kBytes, MADV_HUGEPAGE);
    std::memset(made.get(), 1, kBytes);
    return made;
  }();
  const auto* words = static_cast<const uint64_t*>(memory.get());
  const size_t count = kBytes / sizeof(uint64_t);
  return std::max({ReadRate<1>(words, count), ReadRate<2>(words, count),
                   ReadRate<4>(words, count)});
}

double GemmRate(WeightType type, int64_t rows, int64_t inputs,
                int64_t outputs) {
  static std::map<std::tuple<WeightType, int64_t, int64_t, int64_t>, double>
      measured;
  const std::tuple key(type, rows, inputs, outputs);
  auto found = measured.find(key);
  if (found == measured.end()) {
    found =
        measured.emplace(key, MeasureGemm(type, rows, inputs, outputs)).first;
  }
  return found->second;
}

double LeastSeconds(const Gpt2Config& config, WeightType type, int64_t rows,
                    int64_t logits, double bandwidth) {
  const double bytes =
      BytesPerWeight(type) *
      (BlockWeights(config) + (logits > 0 ? HeadWeights(config) : 0));
  const int64_t d = config.d_model;
  double multiplying = 0;
  for (const auto& [inputs, outputs] :
       {std::pair(d, 3 * d), std::pair(d, d),
        std::pair(d, int64_t{config.d_inner}),
        std::pair(int64_t{config.d_inner}, d)}) {
    multiplying +=
        config.n_layer * MultiplySeconds(type, rows, inputs, outputs);
  }
  if (logits > 0) {
    multiplying += MultiplySeconds(type, logits, d, config.vocab_size);
  }
  return std::max(bytes / bandwidth, multiplying);
}

}  // namespace alignsae
