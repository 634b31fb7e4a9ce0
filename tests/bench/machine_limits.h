// What this machine can do at most, measured in the same run as the engine: the
// yardstick of every benchmark's "share".
//
// Thread-safety: call from one thread.

#ifndef ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_
#define ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_

#include "model/gpt2/config.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// Bytes per second read from memory by all threads: the best of several passes
// over 512 MiB, more than any cache, in one, two and four runs for each thread.
// Measured at each call: on a machine that is shared it drifts by half.
double MemoryBandwidth();

// Multiply-adds per second, times two, of oneDNN's matrix product with weights
// of `type` at 384 rows and GPT-2 small's shapes: the best of several passes.
double GemmRate(WeightType type);

// Seconds that one forward pass takes at least: the larger of reading the
// matrices once, at `bandwidth`, and multiplying by them. `rows` positions pass
// the blocks, `logits` of them the head.
double LeastSeconds(const Gpt2Config& config, WeightType type, double rows,
                    double logits, double bandwidth);

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_BENCH_MACHINE_LIMITS_H_
