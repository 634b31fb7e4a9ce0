// Engine steps of GPT-2 small's shape on a GPU, random weights, f32 and bf16:
// decode steps and prompts at 1 to 256 sequences, readouts, a sweep.
//
//   gpu_bench [DEVICE]      default cuda; one JSON object a line
//
// Each figure is the median of passes after two that are not counted, in wall
// time, the choice of tokens included. side_by_side_gpu.py shows them beside
// transformers.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "model/base/counter_rng.h"
#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "model/gpt2/gpt2.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "tests/support/test_device.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int kSlots = 256;
constexpr int kNewTokens = 12;
constexpr int kSweep = 60;
constexpr int kPasses = 5;
constexpr HookPoint kHook = {HookKind::kResidPre, 6};

std::unique_ptr<Engine> MakeEngine(at::Device device, WeightType type) {
  const Gpt2Config config;  // GPT-2 small, 1,024 positions.
  auto bundle = std::make_shared<Bundle>();
  bundle->model = std::make_unique<const Gpt2>(
      config, OnDevice(InitGpt2Weights(config, 1), device), type);
  bundle->saes.push_back(TinySae(kHook, config.d_model, 2, device));
  auto catalog = std::make_shared<Catalog>();
  CheckpointInfo& checkpoint = catalog->checkpoints.emplace_back();
  checkpoint.name = "bench";
  checkpoint.hook = kHook;
  bundle->catalog = std::move(catalog);
  return Engine::Create(bundle, {.kv_slots = kSlots}).value();
}

StepRow Prompt(int slot, int length, uint64_t seed) {
  CounterRng rng(seed + 1);
  StepRow row;
  row.kv_slot = slot;
  row.prompt_length = length;
  for (int i = 0; i < length; ++i) {
    row.tokens.push_back(static_cast<int32_t>(rng.NextBelow(50257)));
  }
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams();
  return row;
}

std::vector<StepRow> Prompts(int count, int length) {
  std::vector<StepRow> rows;
  for (int i = 0; i < count; ++i) rows.push_back(Prompt(i, length, i));
  return rows;
}

// One step; feeds back the tokens that came out.
void Step(Engine& engine, std::vector<StepRow>& rows) {
  const std::vector<RowResult> results = engine.Step(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].start += static_cast<int>(rows[i].tokens.size());
    if (results[i].sampled) rows[i].tokens = {results[i].sampled->token};
  }
}

double MedianSeconds(const std::function<void()>& pass) {
  std::vector<double> seconds;
  for (int i = 0; i < kPasses + 2; ++i) {
    const absl::Time start = absl::Now();
    pass();  // Ends with tokens or readings on the host.
    if (i >= 2) seconds.push_back(absl::ToDoubleSeconds(absl::Now() - start));
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

void Report(WeightType type, const std::string& what, int batch, int length,
            double tokens, double seconds) {
  absl::PrintF(
      "{\"type\": \"%s\", \"what\": \"%s\", \"batch\": %d, \"prompt\": %d, "
      "\"ms\": %.3f, \"tokens_per_second\": %.0f}\n",
      WeightTypeName(type), what, batch, length, seconds * 1e3,
      tokens / seconds);
  std::fflush(stdout);
}

void Decode(Engine& engine, WeightType type, int batch, int length) {
  std::vector<StepRow> first = Prompts(batch, length);
  Step(engine, first);
  const double seconds = MedianSeconds([&] {
    std::vector<StepRow> rows = first;
    for (int i = 0; i < kNewTokens; ++i) Step(engine, rows);
  });
  Report(type, "decode", batch, length, batch * kNewTokens, seconds);
}

void Prefill(Engine& engine, WeightType type, int batch, int length) {
  const std::vector<StepRow> rows = Prompts(batch, length);
  Report(type, "prompt", batch, length, batch * length,
         MedianSeconds([&] { engine.Step(rows); }));
}

// Prompts read at kHook, leaving behind it.
void Readout(Engine& engine, WeightType type, int batch, int length) {
  std::vector<StepRow> rows = Prompts(batch, length);
  for (StepRow& row : rows) {
    row.observations = {{.checkpoint = 0, .positions = {length - 1}}};
    row.sampling.reset();
    row.leave_after_observations = true;
  }
  Report(type, "readout", batch, length, batch * length,
         MedianSeconds([&] { engine.Step(rows); }));
}

// Twelve alphas of five targets on one prompt, whose beginning they share.
void Sweep(Engine& engine, WeightType type, int length) {
  std::vector<StepRow> variants;
  for (int i = 0; i < kSweep; ++i) {
    StepRow row = Prompt(i, length, 0);
    Intervention swap;
    swap.mode = InterventionMode::kSwap;
    swap.source_slot = 0;
    swap.target_slot = i % 5 < 2 ? 3 : 17;
    swap.alpha = 0.25 * (1 + i / 5.0);
    swap.positions.prompt = {length - 1};
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(1, swap);
    row.fork = PromptFork{0, kHook.site(), length - 1, length};
    variants.push_back(row);
  }
  const double seconds = MedianSeconds([&] {
    std::vector<StepRow> rows = variants;
    for (int i = 0; i < kNewTokens; ++i) Step(engine, rows);
  });
  Report(type, "sweep", kSweep, length, kSweep * kNewTokens, seconds);
}

absl::Status Run(const std::string& name) {
  const absl::StatusOr<at::Device> device = ParseDevice(name);
  if (!device.ok()) return device.status();
  UseThreads(0);
  for (WeightType type : {WeightType::kF32, WeightType::kBf16}) {
    if (!WhyUnsupported(type, DeviceKind(*device)).empty()) continue;
    const std::unique_ptr<Engine> engine = MakeEngine(*device, type);
    for (int batch = 1; batch <= kSlots; batch *= 2) {
      Decode(*engine, type, batch, 24);
    }
    for (int batch : {1, 16, 64}) Decode(*engine, type, batch, 960);
    for (int batch : {1, 16, 64, 256}) Prefill(*engine, type, batch, 24);
    for (int batch : {1, 16}) Prefill(*engine, type, batch, 960);
    Readout(*engine, type, 256, 24);
    Sweep(*engine, type, 24);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  const absl::Status status = alignsae::Run(argc > 1 ? argv[1] : "cuda");
  if (status.ok()) return 0;
  std::fprintf(stderr, "gpu_bench: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
