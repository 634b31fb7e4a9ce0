// What this machine can do at most, measured in the same run as the engine: the
// yardstick of every benchmark's "share".
//
// Thread-safety: call from one thread.

#ifndef ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_
#define ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_

#include <cstdint>

#include "model/gpt2/config.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// Bytes per second read from memory by all threads: the best of several passes
// over 512 MiB, more than any cache, in one, two and four runs for each thread.
// Measured at each call: on a machine that is shared it drifts by half.
double MemoryBandwidth();

// Multiply-adds per second, times two, of oneDNN's product [rows, inputs] x
// [inputs, outputs] with weights of `type`, which lie in a cache where they
// fit: the best of several passes.
double GemmRate(WeightType type, int64_t rows, int64_t inputs, int64_t outputs);

// Seconds that one forward pass takes at least: the larger of reading the
// matrices once, at `bandwidth`, and multiplying by them, each at oneDNN's rate
// for its shape and number of rows. `rows` positions pass the blocks, `logits`
// of them the head.
double LeastSeconds(const Gpt2Config& config, WeightType type, int64_t rows,
                    int64_t logits, double bandwidth);

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_
