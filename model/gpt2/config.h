// GPT-2's config.json, checked. Free of LibTorch.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "config.json: <key>: must be <rule>, got <value>"; a
// switch that would change the forward pass and is not implemented is refused
// by name, never ignored.

#ifndef ALIGNSAE_MODEL_GPT2_CONFIG_H_
#define ALIGNSAE_MODEL_GPT2_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/transformer/activation.h"
#include "model/transformer/end_tokens.h"
#include "model/transformer/facts.h"

namespace alignsae {

struct Gpt2Config {
  int n_layer = 12;
  int n_head = 12;
  int d_model = 768;          // n_embd; a multiple of n_head.
  int d_inner = 3072;         // n_inner; 4 * n_embd when null.
  int context_length = 1024;  // n_positions.
  int vocab_size = 50257;
  double layer_norm_epsilon = 1e-5;
  Activation activation = Activation::kGeluTanh;
  bool tie_word_embeddings = true;
  bool scale_attn_weights = true;  // Scores divided by sqrt(head_dim).
  bool scale_attn_by_inverse_layer_idx = false;  // ... and by layer + 1.
  EndTokens end_tokens = {};  // eos_token_id: a number, a list or null.

  int head_dim() const { return d_model / n_head; }
  TransformerFacts facts() const;
};

absl::StatusOr<Gpt2Config> ParseGpt2Config(absl::string_view json);
std::string Gpt2ConfigToJson(const Gpt2Config& config);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_CONFIG_H_
