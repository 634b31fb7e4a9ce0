// Language models on disk: the one of a run, and the states that it kept along
// its training (`lm --keep-every`):
//
//   <run>/kept/epoch_0010/   Hugging Face layout, as <run>/gpt2/
//
// Thread-safety: free functions.
// Errors: those of writing a file.

#ifndef ALIGNSAE_MODEL_TRAIN_LM_KEPT_H_
#define ALIGNSAE_MODEL_TRAIN_LM_KEPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/train/lm/model.h"

namespace alignsae {

std::string KeptDirectory(const std::string& run, int64_t epoch);

// Of `run`, rising; empty where nothing was kept.
std::vector<int> KeptEpochs(const std::string& run);

// Copies of the weights on the CPU, the configuration and the vocabulary; makes
// the directory.
absl::Status SaveLanguageModel(const std::string& directory,
                               const VocabularyFiles& vocabulary,
                               const InitialModel& model);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_KEPT_H_
