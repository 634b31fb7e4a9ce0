// TransformerFacts: what every decoder-only model says about itself, whatever
// family it is of. Free of LibTorch.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_FACTS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_FACTS_H_

#include <string>

namespace alignsae {

struct TransformerFacts {
  std::string family;  // config.json's model_type, "gpt2".
  int n_layer = 0;     // Blocks.
  int n_head = 0;
  int d_model = 0;         // Width of the residual stream, n_head * head_dim.
  int context_length = 0;  // Positions, prompt and generated together.
  int vocab_size = 0;
  // Attention and MLP read the same input and are added together (GPT-NeoX).
  // There is then no residual stream between them, and so no resid_mid.
  bool parallel_residual = false;

  int head_dim() const { return d_model / n_head; }
  // Sites are numbered in the order in which a forward pass comes to them, and
  // forks rely on that: what changes the residual stream at site k leaves the
  // keys and values of blocks below k alone. Site k < n_layer is what enters
  // block k, site n_layer what leaves the last one.
  int sites() const { return n_layer + 1; }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_FACTS_H_
