#include "tests/bench/bench_model.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/counter_rng.h"
#include "model/gpt2/gpt2.h"
#include "model/transformer/kernel_tuning.h"
#include "tests/bench/machine_limits.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

struct Loaded {
  std::shared_ptr<const Bundle> bundle;
  std::unique_ptr<Engine> engine;
};

// As the server does at its start; ALIGNSAE_KERNEL_TUNING=off: as built in.
void Tune(const Transformer& model) {
  const char* tuning = std::getenv("ALIGNSAE_KERNEL_TUNING");
  if (tuning == nullptr || absl::string_view(tuning) != "off") {
    const TuningOutcome outcome = TuneKernels(model, /*cache_directory=*/"");
    std::fprintf(stderr, "kernels of %d shapes measured in %.3f s\n",
                 outcome.measured, outcome.seconds);
  }
  for (const std::string& sentence : KernelSentences(model)) {
    std::fprintf(stderr, "%s\n", sentence.c_str());
  }
}

Loaded& LoadedAs(WeightType type) {
  static const Gpt2Weights weights = InitGpt2Weights(BenchConfig(), 1);
  static std::map<WeightType, Loaded> all;
  Loaded& loaded = all[type];
  if (loaded.engine != nullptr) return loaded;
  auto bundle = std::make_shared<Bundle>();
  bundle->model = std::make_unique<const Gpt2>(BenchConfig(), weights, type);
  Tune(*bundle->model);
  bundle->saes.push_back(TinySae(kBenchHook, BenchConfig().d_model, 2));
  auto catalog = std::make_shared<Catalog>();
  CheckpointInfo& checkpoint = catalog->checkpoints.emplace_back();
  checkpoint.name = "bench";
  checkpoint.hook = kBenchHook;
  checkpoint.activation = "relu";
  bundle->catalog = std::move(catalog);
  loaded.engine = Engine::Create(bundle, {.kv_slots = kBenchSlots}).value();
  loaded.bundle = std::move(bundle);
  return loaded;
}

}  // namespace

Gpt2Config BenchConfig() {
  Gpt2Config config;
  config.context_length = 128;
  return config;
}

const Bundle& BenchBundle(WeightType type) { return *LoadedAs(type).bundle; }
Engine& BenchEngine(WeightType type) { return *LoadedAs(type).engine; }

StepRow BenchPrompt(int kv_slot, uint64_t seed) {
  CounterRng rng(seed + 1);
  StepRow row;
  row.kv_slot = kv_slot;
  row.prompt_length = kBenchPrompt;
  for (int i = 0; i < kBenchPrompt; ++i) {
    row.tokens.push_back(
        static_cast<int32_t>(rng.NextBelow(BenchConfig().vocab_size)));
  }
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams();
  return row;
}

void Advance(const std::vector<RowResult>& results,
             std::vector<StepRow>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].start += static_cast<int>(rows[i].tokens.size());
    rows[i].tokens = {results[i].sampled->token};
  }
}

void RunBench(benchmark::State& state, double tokens,
              const std::function<void()>& pass,
              const std::function<double(double)>& least) {
  pass();  // Makes what is made on first use.
  const double before = MemoryBandwidth();
  for (auto _ : state) pass();
  const double bandwidth = (before + MemoryBandwidth()) / 2;
  const double passes = static_cast<double>(state.iterations());
  state.counters["tokens/s"] =
      benchmark::Counter(tokens * passes, benchmark::Counter::kIsRate);
  state.counters["share"] = benchmark::Counter(least(bandwidth) * passes,
                                               benchmark::Counter::kIsRate);
  state.counters["GB/s"] = bandwidth / 1e9;
}

void RegisterForTypes(
    const std::string& name, const std::vector<int64_t>& arguments,
    const std::function<void(benchmark::State&, WeightType)>& run) {
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    if (!WhyUnsupported(type, "cpu").empty()) continue;
    auto* made = benchmark::RegisterBenchmark(
        absl::StrCat(name, "/", WeightTypeName(type)).c_str(),
        [run, type](benchmark::State& state) { run(state, type); });
    for (int64_t argument : arguments) made->Arg(argument);
    made->UseRealTime()->Unit(benchmark::kMillisecond);
  }
}

}  // namespace alignsae
