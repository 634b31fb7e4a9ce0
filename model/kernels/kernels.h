// CPU kernels of the serving path: what a step does beside its matrix products.
//
// Plain functions over raw memory, each for a few rows and on the calling
// thread; model/gpt2 divides the work. They are compiled once per instruction
// set and chosen at run time, so that one binary runs on every x86-64 (and on
// other architectures, as plain code). Free of LibTorch.
//
// What a row gives depends on that row only, never on its place in a batch or
// on its neighbours: every sum runs in a fixed order of the row's own numbers.
// Not-a-number and infinity pass through to the row's result.
//
// Letters in shapes: D width, K head dimension, T context length.
//
// Thread-safety: pure functions; CpuKernels() from any thread.

#ifndef ALIGNSAE_MODEL_KERNELS_KERNELS_H_
#define ALIGNSAE_MODEL_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>

namespace alignsae {

// Bits of a bfloat16.
using Bf16 = uint16_t;

// Keys and values are stored in blocks of this many positions. A block of keys
// is [K, kKeyBlock], so that one vector holds one dimension of all of them and
// a score needs no horizontal sum; one of values is [kKeyBlock,
// PaddedHeadDim(K)].
inline constexpr int kKeyBlock = 16;
// Queries that one call of `attend` takes at most.
inline constexpr int kMaxQueries = 4;

// Positions that a head's memory has room for: whole blocks.
constexpr int64_t PaddedPositions(int64_t positions) {
  return (positions + kKeyBlock - 1) / kKeyBlock * kKeyBlock;
}
// Numbers of one stored value: whole vectors.
constexpr int64_t PaddedHeadDim(int64_t head_dim) {
  return (head_dim + 15) / 16 * 16;
}

// One head of one sequence's cache in one layer; E is float or Bf16. Its blocks
// lie `key_stride` and `value_stride` numbers apart: between them are those of
// the other heads, so that what a step reads of a sequence is one run of
// memory.
template <typename E>
struct HeadCache {
  E* keys = nullptr;
  E* values = nullptr;
  int64_t key_stride = 0;
  int64_t value_stride = 0;
};

// Consecutive queries of one head. Query i sees the keys [0, visible + i); of
// these, [0, shared) lie in `prefix` and the others in `own`, each at its
// absolute position. `scratch` has kMaxQueries * PaddedPositions(T) floats.
template <typename E, typename Out>
struct AttentionTask {
  const float* queries = nullptr;  // [count, K], `query_stride` floats apart.
  int64_t query_stride = 0;
  int count = 0;  // [1, kMaxQueries]
  int visible = 0;
  int shared = 0;
  HeadCache<const E> prefix;
  HeadCache<const E> own;
  int head_dim = 0;
  float scale = 1;
  float* scratch = nullptr;
  Out* context = nullptr;  // [count, K], `context_stride` apart.
  int64_t context_stride = 0;
};

// What of an int8 matrix product's accumulators makes its result.
struct Int8Epilogue {
  const float* column_scales = nullptr;  // [D]
  // [D] sum of each column of the weights: takes the 128 off again that
  // `quantize` adds to every input.
  const int32_t* column_sums = nullptr;
  const float* bias = nullptr;  // [D] or null.
  int64_t width = 0;
};

// What sampling needs of one row of logits.
struct LogitSummary {
  bool finite = false;  // All of them; nothing else is meant when false.
  int64_t best = 0;     // The first of the largest.
  float max = 0;
  double log_sum = 0;  // ln of the sum of exp(logit - max)
};

struct Kernels {
  const char* name;  // "avx512", "avx2" or "baseline".

  // y = (x - mean) / sqrt(variance + epsilon) * weight + bias, row by row; NaN
  // where the variance overflows. x, y [rows, D].
  void (*layer_norm_f32)(const float* x, int64_t rows, int64_t width,
                         const float* weight, const float* bias, float epsilon,
                         float* y);
  void (*layer_norm_bf16)(const float* x, int64_t rows, int64_t width,
                          const float* weight, const float* bias, float epsilon,
                          Bf16* y);

  // One position's key and value of one head, [K] each, into the cache.
  void (*store_f32)(const float* key, const float* value, int head_dim,
                    int position, HeadCache<float> cache);
  void (*store_bf16)(const float* key, const float* value, int head_dim,
                     int position, HeadCache<Bf16> cache);

  // softmax(scale q k^T) v
  void (*attend_f32)(const AttentionTask<float, float>& task);
  void (*attend_bf16)(const AttentionTask<Bf16, Bf16>& task);
  void (*attend_bf16_to_f32)(const AttentionTask<Bf16, float>& task);

  // y = round(x / scale) + 128 in [1, 255] with scale = max(abs(x)) / 127 of
  // the row; the scale of a row that is not finite is NaN. x, y [rows, D];
  // scales [rows].
  void (*quantize)(const float* x, int64_t rows, int64_t width, uint8_t* y,
                   float* scales);
  // y = accumulator * row scale * column scale + bias. accumulators, y [rows,
  // D]; row_scales [rows].
  void (*int8_store)(const int32_t* accumulators, const float* row_scales,
                     int64_t rows, const Int8Epilogue& epilogue, float* y);
  // ... + y
  void (*int8_add)(const int32_t* accumulators, const float* row_scales,
                   int64_t rows, const Int8Epilogue& epilogue, float* y);
  // GELU in its tanh form of it (Hugging Face's gelu_new).
  void (*int8_gelu)(const int32_t* accumulators, const float* row_scales,
                    int64_t rows, const Int8Epilogue& epilogue, float* y);

  // logits [count], count >= 1.
  LogitSummary (*summarize)(const float* logits, int64_t count);

  // To the nearest, ties to even; a NaN stays one. x, y [count].
  void (*to_bf16)(const float* x, int64_t count, Bf16* y);
};

// The best that this machine runs.
const Kernels& CpuKernels();

// Every set that this machine runs, the best first: for tests.
struct KernelSets {
  const Kernels* const* sets;
  size_t count;
};
KernelSets AllCpuKernels();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_KERNELS_KERNELS_H_
