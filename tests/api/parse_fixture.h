// What requests are parsed against in tests: a model of 260 tokens and 64
// positions, and two checkpoints of which the second has its whole SAE loaded.
//
// Thread-safety: single-threaded tests.

#ifndef ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_
#define ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "server/api/parse.h"
#include "tests/support/status_matchers.h"
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
    ConceptInfo& entry = info.concepts.emplace_back();
    entry.name = slot == 0 ? "city" : "job";
    entry.slot = slot;
    entry.active_mean = 1.5;
    entry.threshold = 0.5;
    entry.decoder_norm = 1;
    entry.example = "Where?";
  }
  info.recommended_mode = "SWAP";
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
  model.eos_token_id = 259;
  model.prompt_template = "Q: {question}\nA:";
  catalog->checkpoints = {SmallCheckpoint("main", 1, false),
                          SmallCheckpoint("whole", 2, true)};
  return catalog;
}

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

class ParseTest : public ::testing::Test {
 protected:
  ParseEnv env() const {
    return {catalog_.get(), tokenizer_.get(), &limits_,
            [this](const Intervention&) { return applicable_; }};
  }

  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  Limits limits_;
  absl::Status applicable_;  // What check_intervention says.
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_
