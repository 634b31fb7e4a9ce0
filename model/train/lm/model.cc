#include "model/train/lm/model.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/gpt2.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/train/common/random_order.h"
#include "model/train/lm/data.h"
#include "model/transformer/config_fields.h"

namespace alignsae {
namespace {

absl::StatusOr<Gpt2Config> ConfigFromOptions(const LmOptions& options,
                                             const Tokenizer& tokenizer) {
  if (options.width % options.heads != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("width: must be a multiple of heads (", options.heads,
                     "), got ", options.width));
  }
  Gpt2Config config;
  config.n_layer = options.layers;
  config.n_head = options.heads;
  config.d_model = options.width;
  config.d_inner = 4 * options.width;
  config.context_length = options.context;
  config.vocab_size = tokenizer.vocab_size();
  config.end_tokens = EndTokens::Only(tokenizer.eos_token_id());
  return config;
}

absl::StatusOr<Gpt2Config> ConfigFromDirectory(const std::string& directory,
                                               const Tokenizer& tokenizer) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string json, ReadConfigJson(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Config config, ParseGpt2Config(json));
  if (tokenizer.vocab_size() > config.vocab_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        "init_from: the model's vocabulary must hold the tokenizer's ",
        tokenizer.vocab_size(), " entries, got ", config.vocab_size));
  }
  config.end_tokens = EndTokens::Only(tokenizer.eos_token_id());
  return config;
}

}  // namespace

absl::StatusOr<VocabularyFiles> MakeVocabulary(const LmTexts& texts,
                                               const LmOptions& options,
                                               const std::string& directory) {
  VocabularyFiles files;
  if (directory.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        BpeVocabulary trained,
        TrainBpe(TokenizerTexts(texts),
                 {.vocab_size = options.vocab_size, .min_frequency = 2}));
    files.vocab_json = std::move(trained.vocab_json);
    files.merges_txt = std::move(trained.merges_txt);
    return files;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(files.vocab_json,
                            ReadFile(absl::StrCat(directory, "/vocab.json")));
  ALIGNSAE_ASSIGN_OR_RETURN(files.merges_txt,
                            ReadFile(absl::StrCat(directory, "/merges.txt")));
  return files;
}

absl::StatusOr<InitialModel> MakeInitialModel(const LmOptions& options,
                                              const Tokenizer& tokenizer,
                                              const std::string& init_from,
                                              at::Device device) {
  InitialModel model;
  if (init_from.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(model.config,
                              ConfigFromOptions(options, tokenizer));
    CounterRng rng = RandomStream(options.seed, RandomPurpose::kLmWeights, 0);
    model.weights = InitGpt2Weights(model.config, rng.NextBits());
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(model.config,
                              ConfigFromDirectory(init_from, tokenizer));
    ALIGNSAE_ASSIGN_OR_RETURN(model.weights,
                              LoadGpt2Weights(init_from, model.config));
  }
  for (auto& [name, tensor] : model.weights.Named()) {
    *tensor = tensor->to(device).clone().set_requires_grad(true);
  }
  if (model.config.tie_word_embeddings) {
    model.weights.lm_head = model.weights.wte;
  }
  return model;
}

std::vector<TrainedTensor> TrainedParameters(Gpt2Weights& weights) {
  std::vector<TrainedTensor> parameters;
  for (auto& [name, tensor] : weights.Named()) {
    parameters.push_back({name, *tensor, /*decay=*/tensor->dim() == 2});
  }
  return parameters;
}

}  // namespace alignsae
