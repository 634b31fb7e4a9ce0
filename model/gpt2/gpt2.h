// Gpt2: the frozen language model's forward pass over packed rows.
//
// One call runs one step: rows of different sequences, each with its own length
// and place in the KV cache, are packed into one [N, D] residual stream. Rows
// may leave early (readouts stop at their hook), and only the last position of
// rows that want logits meets the head.
//
// Letters in shapes: N packed tokens of the step, D d_model, H heads, K head
// dimension, T context length, V vocabulary, S cache slots.
//
// Thread-safety: const after load; one KvCache per thread of execution.
//
// Example:
//   std::vector<PackedRow> rows = {{.kv_slot = 0, .length = 5, .exit_site = 12,
//                                   .logits = true}};
//   at::Tensor logits = model.Forward(token_ids, rows, cache, nullptr);

#ifndef ALIGNSAE_MODEL_GPT2_GPT2_H_
#define ALIGNSAE_MODEL_GPT2_GPT2_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/gpt2/config.h"
#include "model/gpt2/kv_cache.h"
#include "model/gpt2/residual_hook.h"
#include "model/gpt2/weights.h"

namespace alignsae {

class Gpt2 {
 public:
  // Loads config.json and model.safetensors.
  static absl::StatusOr<Gpt2> Load(const std::string& directory,
                                   at::Device device = at::kCPU);
  Gpt2(const Gpt2Config& config, Gpt2Weights weights);

  const Gpt2Config& config() const { return config_; }
  const Gpt2Weights& weights() const { return weights_; }
  at::Device device() const { return weights_.wte.device(); }

  // Runs the rows' tokens (packed in row order, N = sum of lengths) through the
  // blocks and writes their keys and values into `cache`. Returns logits [R, V]
  // float32 of the last position of each row with `logits`, in row order (R may
  // be 0). `hook` may be null. Rows must name different slots.
  at::Tensor Forward(absl::Span<const int32_t> tokens,
                     std::vector<PackedRow> rows, KvCache& cache,
                     ResidualHook* hook) const;

 private:
  Gpt2Config config_;
  Gpt2Weights weights_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_GPT2_H_
