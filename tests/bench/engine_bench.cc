// Engine steps on a random model of GPT-2 small's shape, for each weight type:
// prompt passes, decode steps, readouts with early exit and sweeps.
//
//   build/release/bin/engine_bench [--benchmark_filter=bf16]
//
// `share` is the part that is reached of what the machine could do at most,
// measured in the same run: the larger of reading the weights once and of the
// multiplications, at oneDNN's rate for each shape and number of rows. Compare
// figures of one run with each other only.

#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/gpt2/gpt2.h"
#include "model/tensor/threads.h"
#include "tests/bench/bench_model.h"
#include "tests/bench/machine_limits.h"

namespace alignsae {
namespace {

std::vector<StepRow> Prompts(int64_t count) {
  std::vector<StepRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(BenchPrompt(i, i));
  return rows;
}

void Prefill(benchmark::State& state, WeightType type) {
  const int64_t batch = state.range(0);
  const std::vector<StepRow> rows = Prompts(batch);
  RunBench(
      state, static_cast<double>(batch * kBenchPrompt),
      [&] { benchmark::DoNotOptimize(BenchEngine(type).Step(rows)); },
      [&](double bandwidth) {
        return LeastSeconds(BenchConfig(), type, batch * kBenchPrompt, batch,
                            bandwidth);
      });
}

// The twelve tokens of an answer, one step each.
void Decode(benchmark::State& state, WeightType type) {
  const int64_t batch = state.range(0);
  Engine& engine = BenchEngine(type);
  std::vector<StepRow> first = Prompts(batch);
  Advance(engine.Step(first), first);
  RunBench(
      state, static_cast<double>(batch * kBenchNewTokens),
      [&] {
        std::vector<StepRow> rows = first;
        for (int i = 0; i < kBenchNewTokens; ++i) {
          Advance(engine.Step(rows), rows);
        }
      },
      [&](double bandwidth) {
        return kBenchNewTokens *
               LeastSeconds(BenchConfig(), type, batch, batch, bandwidth);
      });
}

// 16 prompts read at resid_pre[6] of 12. early_exit 0: all blocks, the head and
// last-position logits; 1: leaves after the hook.
void Readout(benchmark::State& state, WeightType type) {
  const bool early = state.range(0) == 1;
  std::vector<StepRow> rows = Prompts(16);
  for (StepRow& row : rows) {
    row.observations = {{.checkpoint = 0, .positions = {kBenchPrompt - 1}}};
    if (early) row.sampling.reset();
    row.leave_after_observations = early;
  }
  Gpt2Config run = BenchConfig();
  if (early) run.n_layer = kBenchHook.layer;
  RunBench(
      state, 16 * kBenchPrompt,
      [&] { benchmark::DoNotOptimize(BenchEngine(type).Step(rows)); },
      [&](double bandwidth) {
        return LeastSeconds(run, type, 16 * kBenchPrompt, early ? 0 : 16,
                            bandwidth);
      });
}

// 12 alphas x 5 targets of one prompt, 12 new tokens each.
constexpr int kVariants = 60;
enum SweepKind { kSeparate, kFullBatch, kSharedPrefix, kPrefillAndDecode };

std::vector<StepRow> Variants() {
  std::vector<StepRow> rows;
  for (int i = 0; i < kVariants; ++i) {
    StepRow row = BenchPrompt(i, 0);
    Intervention swap;
    swap.mode = InterventionMode::kSwap;
    swap.source_slot = 0;
    swap.target_slot = i % 5 < 2 ? 3 : 17;
    swap.alpha = 0.25 * (1 + i / 5.0);
    swap.positions.prompt = {kBenchPrompt - 1};
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(1, swap);
    rows.push_back(row);
  }
  return rows;
}

// The ids that all variants answer, in a row.
std::vector<int32_t> Answer(Engine& engine, std::vector<StepRow> rows) {
  std::vector<int32_t> ids;
  for (int i = 0; i < kBenchNewTokens; ++i) {
    Advance(engine.Step(rows), rows);
    for (const StepRow& row : rows) ids.push_back(row.tokens[0]);
  }
  return ids;
}

void Sweep(benchmark::State& state, WeightType type, SweepKind kind) {
  Engine& engine = BenchEngine(type);
  std::vector<StepRow> rows = Variants();
  std::vector<StepRow> decode = rows;
  if (kind == kSharedPrefix) {
    const std::vector<int32_t> unshared = Answer(engine, rows);
    for (StepRow& row : rows) {
      row.fork =
          PromptFork{0, kBenchHook.site(), kBenchPrompt - 1, kBenchPrompt};
    }
    const std::vector<int32_t> shared = Answer(engine, rows);
    int equal = 0;
    for (size_t i = 0; i < shared.size(); ++i)
      equal += shared[i] == unshared[i];
    state.counters["equal_tokens"] =
        static_cast<double>(equal) / static_cast<double>(shared.size());
  } else if (kind == kPrefillAndDecode) {
    Advance(engine.Step(decode), decode);
  }
  const auto pass = [&] {
    if (kind == kSeparate) {
      for (const StepRow& row : rows) Answer(engine, {row});
    } else if (kind == kPrefillAndDecode) {
      engine.Step({&rows[0], 1});
      std::vector<StepRow> fed = decode;
      for (int i = 1; i < kBenchNewTokens; ++i) Advance(engine.Step(fed), fed);
    } else {
      Answer(engine, rows);
    }
  };
  RunBench(state, kVariants * kBenchNewTokens, pass, [&](double bandwidth) {
    return LeastSeconds(BenchConfig(), type, kBenchPrompt, 1, bandwidth) +
           (kBenchNewTokens - 1) * LeastSeconds(BenchConfig(), type, kVariants,
                                                kVariants, bandwidth);
  });
}

void RegisterAll() {
  RegisterForTypes("Decode", {1, 4, 16, 64}, Decode);
  RegisterForTypes("Prefill", {1, 4, 16, 64}, Prefill);
  RegisterForTypes("Readout16/early_exit", {0, 1}, Readout);
  const std::vector<std::pair<const char*, SweepKind>> kinds = {
      {"Sweep60/a_separate_calls", kSeparate},
      {"Sweep60/b_full_batch", kFullBatch},
      {"Sweep60/c_shared_prefix", kSharedPrefix},
      {"Sweep60/one_prefill_and_batch_decode", kPrefillAndDecode}};
  for (const auto& [name, kind] : kinds) {
    RegisterForTypes(name, {},
                     [kind = kind](benchmark::State& state, WeightType type) {
                       Sweep(state, type, kind);
                     });
  }
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using alignsae::WeightType;
  alignsae::UseThreads(0);
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    if (!alignsae::WhyUnsupported(type, "cpu").empty()) continue;
    benchmark::AddCustomContext(
        absl::StrCat("gemm_", alignsae::WeightTypeName(type), "_GOP/s"),
        absl::StrCat(alignsae::GemmRate(type, 384, 768, 3072) / 1e9));
  }
  alignsae::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
