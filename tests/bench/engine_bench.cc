// Engine steps on a random model of GPT-2 small's shape, for each weight type:
// prompt passes, decode steps and readouts with early exit.
//
//   build/release/bin/engine_bench [--benchmark_filter=bf16]
//
// `share` is the part that the step reaches of what the machine could do at
// most, measured in the same run: the larger of reading the weights once and of
// the multiplications. Compare figures of one run with each other only.

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/catalog.h"
#include "model/base/counter_rng.h"
#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "model/tensor/threads.h"
#include "tests/bench/machine_limits.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int kPromptTokens = 24;
constexpr int kNewTokens = 12;
constexpr int kSlots = 64;
constexpr HookPoint kHook = {HookKind::kResidPre, 6};

Gpt2Config Shape() {
  Gpt2Config config;
  config.context_length = 128;  // The cache of 64 slots stays below 1 GiB.
  return config;
}

// One engine for each weight type: 124 M random weights, a checkpoint in the
// middle.
Engine& SharedEngine(WeightType type) {
  static const Gpt2Weights weights = InitGpt2Weights(Shape(), 1);
  static std::map<WeightType, std::unique_ptr<Engine>> engines;
  std::unique_ptr<Engine>& engine = engines[type];
  if (engine == nullptr) {
    auto bundle = std::make_shared<Bundle>();
    bundle->model = std::make_unique<const Gpt2>(Shape(), weights, type);
    bundle->saes.push_back(TinySae(kHook, Shape().d_model, 2));
    auto catalog = std::make_shared<Catalog>();
    CheckpointInfo& checkpoint = catalog->checkpoints.emplace_back();
    checkpoint.name = "bench";
    checkpoint.hook = kHook;
    checkpoint.activation = "relu";
    bundle->catalog = std::move(catalog);
    engine = Engine::Create(std::move(bundle), {.kv_slots = kSlots}).value();
  }
  return *engine;
}

StepRow Prompt(int slot) {
  CounterRng rng(slot + 1);
  StepRow row;
  row.kv_slot = slot;
  row.prompt_length = kPromptTokens;
  for (int i = 0; i < kPromptTokens; ++i) {
    row.tokens.push_back(static_cast<int32_t>(rng.NextBelow(50257)));
  }
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams();
  return row;
}

std::vector<StepRow> Prompts(int64_t count) {
  std::vector<StepRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(Prompt(i));
  return rows;
}

// Feeds back the tokens that came out.
void Advance(const std::vector<RowResult>& results,
             std::vector<StepRow>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].start += static_cast<int>(rows[i].tokens.size());
    rows[i].tokens = {results[i].sampled->token};
  }
}

void Report(benchmark::State& state, double tokens, double least_seconds) {
  const double total = static_cast<double>(state.iterations());
  state.counters["tokens/s"] =
      benchmark::Counter(tokens * total, benchmark::Counter::kIsRate);
  state.counters["share"] =
      benchmark::Counter(least_seconds * total, benchmark::Counter::kIsRate);
}

void Prefill(benchmark::State& state, WeightType type) {
  const int64_t batch = state.range(0);
  Engine& engine = SharedEngine(type);
  const std::vector<StepRow> rows = Prompts(batch);
  engine.Step(rows);
  for (auto _ : state) benchmark::DoNotOptimize(engine.Step(rows));
  const double tokens = static_cast<double>(batch * kPromptTokens);
  Report(state, tokens,
         LeastSeconds(Shape(), type, tokens, static_cast<double>(batch)));
}

// The twelve tokens of an answer, one step each.
void Decode(benchmark::State& state, WeightType type) {
  const int64_t batch = state.range(0);
  Engine& engine = SharedEngine(type);
  std::vector<StepRow> rows = Prompts(batch);
  Advance(engine.Step(rows), rows);
  const std::vector<StepRow> first = rows;
  for (auto _ : state) {
    rows = first;
    for (int i = 0; i < kNewTokens; ++i) Advance(engine.Step(rows), rows);
  }
  const double count = static_cast<double>(batch);
  Report(state, count * kNewTokens,
         kNewTokens * LeastSeconds(Shape(), type, count, count));
}

// 16 prompts read at resid_pre[6] of 12. early_exit 0: all blocks, the head and
// last-position logits; 1: leaves after the hook.
void Readout(benchmark::State& state, WeightType type) {
  Engine& engine = SharedEngine(type);
  std::vector<StepRow> rows = Prompts(16);
  for (StepRow& row : rows) {
    row.observations = {{.checkpoint = 0, .positions = {kPromptTokens - 1}}};
    if (state.range(0) == 1) {
      row.sampling.reset();
      row.leave_after_observations = true;
    }
  }
  engine.Step(rows);
  for (auto _ : state) benchmark::DoNotOptimize(engine.Step(rows));
  const double tokens = 16 * kPromptTokens;
  Gpt2Config run = Shape();
  if (state.range(0) == 1) run.n_layer = kHook.layer;
  Report(state, tokens,
         LeastSeconds(run, type, tokens, state.range(0) == 1 ? 0 : 16));
}

void RegisterAll(WeightType type) {
  const std::string name(WeightTypeName(type));
  if (!WhyUnsupported(type, "cpu").empty()) return;
  const auto add = [&](const char* what, auto run, std::vector<int64_t> args) {
    auto* made = benchmark::RegisterBenchmark(
        absl::StrCat(what, "/", name).c_str(),
        [run, type](benchmark::State& state) { run(state, type); });
    for (int64_t arg : args) made->Arg(arg);
    made->UseRealTime()->Unit(benchmark::kMillisecond);
  };
  add("Decode", Decode, {1, 4, 16, 64});
  add("Prefill", Prefill, {1, 4, 16, 64});
  add("Readout16", Readout, {0, 1});
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  using alignsae::WeightType;
  alignsae::UseThreads(0);
  benchmark::AddCustomContext(
      "memory_bandwidth_GB/s",
      std::to_string(alignsae::MemoryBandwidth() / 1e9));
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    if (alignsae::WhyUnsupported(type, "cpu").empty()) {
      benchmark::AddCustomContext(
          absl::StrCat("gemm_", alignsae::WeightTypeName(type), "_GOP/s"),
          std::to_string(alignsae::GemmRate(type) / 1e9));
    }
    alignsae::RegisterAll(type);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
