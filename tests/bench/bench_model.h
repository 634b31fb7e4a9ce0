// The random model of GPT-2 small's shape that benchmarks run on, one engine
// for each weight type, and how they report.
//
// Thread-safety: call from one thread.

#ifndef ALIGNSAE_TESTS_BENCH_BENCH_MODEL_H_
#define ALIGNSAE_TESTS_BENCH_BENCH_MODEL_H_

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "model/gpt2/gpt2.h"

namespace alignsae {

inline constexpr int kBenchPrompt = 24;
inline constexpr int kBenchNewTokens = 12;
inline constexpr int kBenchSlots = 64;
inline constexpr HookPoint kBenchHook = {HookKind::kResidPre, 6};

// 124 M random weights and an SAE of 24 features in the middle. The context is
// cut to 128 positions, so that the cache of 64 slots stays below 1 GiB.
Gpt2Config BenchConfig();
const Bundle& BenchBundle(WeightType type);
Engine& BenchEngine(WeightType type);

// A prompt of random tokens that `seed` decides, to be answered.
StepRow BenchPrompt(int kv_slot, uint64_t seed);
// Feeds back the tokens that came out.
void Advance(const std::vector<RowResult>& results, std::vector<StepRow>& rows);

// Runs `pass` in the benchmark's loop. `least` gives the seconds that it takes
// at least at a bandwidth; reports tokens/s and `share`, the part of that limit
// which was reached. The bandwidth is the mean of one measurement before and
// one after the loop.
void RunBench(benchmark::State& state, double tokens,
              const std::function<void()>& pass,
              const std::function<double(double bandwidth)>& least);

// Registers `run` for every weight type that this machine runs.
void RegisterForTypes(
    const std::string& name, const std::vector<int64_t>& arguments,
    const std::function<void(benchmark::State&, WeightType)>& run);

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_BENCH_BENCH_MODEL_H_
