// The language model and tokenizer that a run starts from: new ones trained on
// the data, or those of a Hugging Face directory.
//
// Thread-safety: free functions.
// Errors: as the tokenizer's, config's and weights' loaders.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_MODEL_H_
#define ALIGNSAE_MODEL_TRAIN_LM_MODEL_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/common/optimizer.h"
#include "model/train/data/lm_texts.h"
#include "model/train/lm/options.h"

namespace alignsae {

struct VocabularyFiles {
  std::string vocab_json;
  std::string merges_txt;
};

// The files of `directory`, or, where that is empty, a vocabulary trained on
// the texts.
absl::StatusOr<VocabularyFiles> MakeVocabulary(const LmTexts& texts,
                                               const LmOptions& options,
                                               const std::string& directory);

struct InitialModel {
  Gpt2Config config;
  Gpt2Weights weights;  // On `device`, requiring gradients.
};

// `init_from` is a Hugging Face directory, or empty: random weights in the
// options' shape, decided by the seed.
absl::StatusOr<InitialModel> MakeInitialModel(const LmOptions& options,
                                              const Tokenizer& tokenizer,
                                              const std::string& init_from,
                                              at::Device device);

// Every weight once; matrices and embeddings decay, biases and layer norms do
// not.
std::vector<TrainedTensor> TrainedParameters(Gpt2Weights& weights);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_MODEL_H_
