// The parts of a step one by one, at GPT-2 small's shape: attention over the
// cache, copies of kept prompts, layer norm, sampling, tokenizer, concept
// readout and the encoding of a whole SAE of 100,006 slots.
//
//   build/release/bin/parts_bench
//
// `share` is the part of the memory's speed that is reached, by the bytes that
// must be read; where nothing is read from memory there is none.

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/gpt2/block.h"
#include "model/gpt2/gpt2.h"
#include "model/sampling/sampler.h"
#include "model/tensor/threads.h"
#include "model/tokenizer/tokenizer.h"
#include "model/transformer/attention.h"
#include "model/transformer/layers.h"
#include "tests/bench/machine_limits.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

const Gpt2Config kShape;  // GPT-2 small.

void ReportShare(benchmark::State& state, double bytes) {
  state.counters["share"] = benchmark::Counter(
      bytes / MemoryBandwidth() * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}

// One decode step's attention in one layer: rows x keys.
void Attention(benchmark::State& state) {
  const int rows = static_cast<int>(state.range(0));
  const int keys = static_cast<int>(state.range(1));
  const bool narrow = state.range(2) == 1;
  const KvType type = narrow ? KvType::kBf16 : KvType::kF32;
  Gpt2Config config = kShape;
  config.n_layer = 1;
  KvCache cache(config.facts(), rows, at::kCPU, type);
  std::vector<PackedRow> prompts, decode;
  for (int i = 0; i < rows; ++i) {
    PackedRow row;
    row.kv_slot = i;
    row.length = keys;
    prompts.push_back(row);
    row.start = keys - 1;
    row.length = 1;
    decode.push_back(row);
  }
  StoreKeysValues(UniformTensor({rows * keys, 2 * config.d_model}, 1, 1),
                  Pack(prompts), cache, AttentionOf(config, 0), 0);
  const at::Tensor queries = UniformTensor({rows, config.d_model}, 1, 2);
  const Packing packing = Pack(decode);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        CachedAttention(queries, packing, cache, AttentionOf(config, 0), 0,
                        narrow ? at::kBFloat16 : at::kFloat));
  }
  ReportShare(state, 2.0 * rows * keys * config.d_model * (narrow ? 2 : 4));
}
BENCHMARK(Attention)
    ->ArgNames({"rows", "keys", "bf16"})
    ->ArgsProduct({{1, 16, 64}, {36, 512}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// What a prompt takes from another one's KV slot, in all layers.
void CopyPrefix(benchmark::State& state) {
  const int positions = static_cast<int>(state.range(0));
  constexpr int kSlots = 8;  // More than the processor's caches hold.
  KvCache cache(kShape.facts(), kSlots, at::kCPU, KvType::kBf16);
  int64_t bytes = 0;
  for (int layer = 0; layer < kShape.n_layer; ++layer) {
    for (const at::Tensor& memory : {cache.keys(layer), cache.values(layer)}) {
      memory.fill_(1);
      bytes += static_cast<int64_t>(memory.nbytes()) / kSlots * positions /
               kShape.context_length;
    }
  }
  int from = 0;
  for (auto _ : state) {
    const int to = (from + 1) % kSlots;
    cache.Copy(from, to, positions, kShape.n_layer);
    from = to;
  }
  ReportShare(state, static_cast<double>(bytes));
}
BENCHMARK(CopyPrefix)
    ->ArgName("positions")
    ->Arg(16)
    ->Arg(512)
    ->Arg(1024)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void LayerNormRows(benchmark::State& state) {
  const at::Tensor x = UniformTensor({state.range(0), kShape.d_model}, 1, 1);
  const at::Tensor ones = at::ones({kShape.d_model});
  for (auto _ : state) {
    benchmark::DoNotOptimize(FastLayerNorm(x, ones, ones, 1e-5, at::kBFloat16));
  }
}
BENCHMARK(LayerNormRows)
    ->Arg(1)
    ->Arg(64)
    ->Arg(512)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// One row of 50,257 logits. 0: greedy, 1: temperature, 2: top-p as well.
void Sample(benchmark::State& state) {
  const at::Tensor logits = UniformTensor({kShape.vocab_size}, 8, 1);
  SamplingParams params;
  if (state.range(0) > 0) params.temperature = 0.8;
  if (state.range(0) > 1) params.top_p = 0.9;
  const absl::Span<const float> row(logits.data_ptr<float>(),
                                    kShape.vocab_size);
  int position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(SampleToken(row, params, {}, position++));
  }
}
BENCHMARK(Sample)->ArgName("kind")->Arg(0)->Arg(1)->Arg(2)->Unit(
    benchmark::kMicrosecond);

void Tokenize(benchmark::State& state) {
  const Tokenizer tokenizer =
      Tokenizer::Load(ALIGNSAE_BENCH_DEMO "/gpt2").value();
  std::string text;
  while (text.size() < size_t{10} << 10) {
    text += "Where was the person born, and who employs them now? ";
  }
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.Encode(text));
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(text.size()));
}
BENCHMARK(Tokenize)->Unit(benchmark::kMicrosecond);

Sae LargeSae() {
  constexpr int kFeatures = 100006;
  SaeConfig config;
  config.d_model = kShape.d_model;
  config.n_features = kFeatures;
  config.hook = {HookKind::kResidPost, 6};
  for (int slot = 0; slot < 6; ++slot) {
    Concept& made = config.concepts.emplace_back();
    made.name = "concept_" + std::to_string(slot);
    made.slot = slot;
    made.active_mean = 1;
    made.threshold = 0.1;
  }
  SaeWeights weights;
  weights.w_enc = UniformTensor({kShape.d_model, kFeatures}, 0.1, 1);
  weights.b_enc = UniformTensor({kFeatures}, 0.1, 2);
  weights.w_dec = UniformTensor({kFeatures, kShape.d_model}, 0.1, 3);
  weights.b_dec = UniformTensor({kShape.d_model}, 0.1, 4);
  return Sae::FromWeights(config, weights).value();
}

// Six concept slots of so many rows.
void ReadConcepts(benchmark::State& state) {
  static const Sae sae = LargeSae();
  const at::Tensor h = UniformTensor({state.range(0), kShape.d_model}, 1, 1);
  for (auto _ : state) benchmark::DoNotOptimize(sae.ConceptPre(h));
}
BENCHMARK(ReadConcepts)
    ->Arg(1)
    ->Arg(16)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// All 100,006 slots of so many rows.
void EncodeWhole(benchmark::State& state) {
  static const Sae sae = LargeSae();
  const at::Tensor h = UniformTensor({state.range(0), kShape.d_model}, 1, 1);
  for (auto _ : state) benchmark::DoNotOptimize(sae.Encode(h));
  ReportShare(state, 4.0 * 100006 * kShape.d_model);
}
BENCHMARK(EncodeWhole)
    ->Arg(1)
    ->Arg(16)
    ->Arg(64)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  alignsae::UseThreads(0);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
