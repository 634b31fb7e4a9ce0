// GPT-NeoX's (Pythia's) config.json, checked. Free of LibTorch.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "config.json: <key>: must be <rule>, got <value>"; a
// switch that would change the forward pass and is not implemented is refused
// by name, never ignored.

#ifndef ALIGNSAE_MODEL_GPT_NEOX_CONFIG_H_
#define ALIGNSAE_MODEL_GPT_NEOX_CONFIG_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/transformer/activation.h"
#include "model/transformer/end_tokens.h"
#include "model/transformer/facts.h"

namespace alignsae {

struct GptNeoXConfig {
  int n_layer = 0;         // num_hidden_layers.
  int n_head = 0;          // num_attention_heads.
  int d_model = 0;         // hidden_size; a multiple of n_head.
  int d_inner = 0;         // intermediate_size.
  int context_length = 0;  // max_position_embeddings.
  int vocab_size = 0;
  double layer_norm_epsilon = 1e-5;              // layer_norm_eps.
  Activation activation = Activation::kGeluErf;  // hidden_act.
  bool parallel_residual = true;                 // use_parallel_residual.
  bool tie_word_embeddings = false;
  // Of a head's numbers the first so many are turned; even, in [2, head_dim].
  int rotary_dims = 0;
  double rotary_base = 10000;
  EndTokens end_tokens = {};

  int head_dim() const { return d_model / n_head; }
  TransformerFacts facts() const;
};

// Takes the names of transformers 4 (rotary_pct, rotary_emb_base) and of 5
// (rope_parameters); where a file has both, they must agree.
absl::StatusOr<GptNeoXConfig> ParseGptNeoXConfig(absl::string_view json);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT_NEOX_CONFIG_H_
