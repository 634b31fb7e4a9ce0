// A catalog and its tokenizer for tests without a model: 260 tokens and 64
// positions, and two checkpoints of which the second has its whole SAE loaded.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_TESTS_SUPPORT_SMALL_CATALOG_H_
#define ALIGNSAE_TESTS_SUPPORT_SMALL_CATALOG_H_

#include <memory>
#include <string>

#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {

inline std::shared_ptr<const Tokenizer> SmallTokenizer() {
  return std::make_shared<const Tokenizer>(
      Tokenizer::FromFiles(SmallVocab().dump(), kSmallMerges, "").value());
}

inline CheckpointInfo SmallCheckpoint(const std::string& name, int layer,
                                      bool whole) {
  CheckpointInfo info;
  info.name = name;
  info.sha256 = std::string(64, 'a');
  info.hook = {HookKind::kResidPost, layer};
  info.activation = "relu";
  info.scale = 2;
  info.n_features = 12;
  info.whole_sae_loaded = whole;
  for (int slot : {0, 1}) {
    Concept& entry = info.concepts.emplace_back();
    entry.name = slot == 0 ? "city" : "job";
    entry.slot = slot;
    entry.active_mean = 1.5;
    entry.threshold = 0.5;
    entry.decoder_norm = 1;
    entry.example = "Where?";
  }
  info.concepts[0].certificate =
      WriteCertificate{.cosine = 0.9,
                       .written_share = 0.8,
                       .measured_swap = MeasuredSwapOf(90, 100, 10, 20)};
  info.recommended_mode = InterventionMode::kSwap;
  info.recommended_alpha = 1.25;
  return info;
}

inline std::shared_ptr<const Catalog> SmallCatalog() {
  auto catalog = std::make_shared<Catalog>();
  catalog->bundle_name = "small bundle";
  ModelInfo& model = catalog->model;
  model.name = "small";
  model.sha256 = std::string(64, 'b');
  model.n_layer = 4;
  model.n_head = 2;
  model.d_model = 8;
  model.context_length = 64;
  model.vocab_size = 260;
  model.eos_token_ids = {259};
  model.prompt_template = "Q: {question}\nA:";
  catalog->checkpoints = {SmallCheckpoint("main", 1, false),
                          SmallCheckpoint("whole", 2, true)};
  return catalog;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_SMALL_CATALOG_H_
