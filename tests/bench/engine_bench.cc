// Engine steps on a random model of GPT-2 small's shape: prompt passes, decode
// steps and readouts with early exit, in tokens per second.
//
//   build/release/bin/engine_bench --benchmark_min_time=2
//
// Compare figures of one run with each other only.

#include <benchmark/benchmark.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "model/base/catalog.h"
#include "model/base/counter_rng.h"
#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int kPromptTokens = 24;
constexpr int kSlots = 64;
constexpr HookPoint kHook = {HookKind::kResidPre, 6};

// One engine for all benchmarks: 124 M random weights, a checkpoint in the
// middle.
Engine& SharedEngine() {
  static const std::unique_ptr<Engine> engine = [] {
    Gpt2Config config;
    config.context_length = 128;  // The cache of 64 slots stays below 1 GiB.
    auto bundle = std::make_shared<Bundle>();
    bundle->model =
        std::make_unique<const Gpt2>(config, InitGpt2Weights(config, 1));
    bundle->saes.push_back(TinySae(kHook, config.d_model, 2));
    auto catalog = std::make_shared<Catalog>();
    CheckpointInfo& checkpoint = catalog->checkpoints.emplace_back();
    checkpoint.name = "bench";
    checkpoint.hook = kHook;
    checkpoint.activation = "relu";
    bundle->catalog = std::move(catalog);
    return Engine::Create(std::move(bundle), {.kv_slots = kSlots}).value();
  }();
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

void BM_Prefill(benchmark::State& state) {
  const std::vector<StepRow> rows = Prompts(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(SharedEngine().Step(rows));
  state.SetItemsProcessed(state.iterations() * state.range(0) * kPromptTokens);
}
BENCHMARK(BM_Prefill)->Arg(1)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();

void BM_Decode(benchmark::State& state) {
  std::vector<StepRow> rows = Prompts(state.range(0));
  SharedEngine().Step(rows);
  for (StepRow& row : rows) {
    row.start = kPromptTokens;
    row.tokens = {1};
  }
  for (auto _ : state) benchmark::DoNotOptimize(SharedEngine().Step(rows));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Decode)->Arg(1)->Arg(4)->Arg(16)->Arg(64)->UseRealTime();

// 16 prompts read at resid_pre[6] of 12: arg 0 runs all blocks and the head,
// arg 1 leaves after the hook.
void BM_Readout(benchmark::State& state) {
  std::vector<StepRow> rows = Prompts(16);
  for (StepRow& row : rows) {
    row.observations = {{.checkpoint = 0, .positions = {kPromptTokens - 1}}};
    if (state.range(0) == 1) {
      row.sampling.reset();
      row.leave_after_observations = true;
    }
  }
  for (auto _ : state) benchmark::DoNotOptimize(SharedEngine().Step(rows));
  state.SetItemsProcessed(state.iterations() * 16 * kPromptTokens);
}
BENCHMARK(BM_Readout)->ArgName("early_exit")->Arg(0)->Arg(1)->UseRealTime();

}  // namespace
}  // namespace alignsae

BENCHMARK_MAIN();
