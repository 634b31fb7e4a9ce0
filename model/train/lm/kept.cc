#include "model/train/lm/kept.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/gpt2.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {

std::string KeptDirectory(const std::string& run, int64_t epoch) {
  return absl::StrFormat("%s/kept/epoch_%04d", run, epoch);
}

std::vector<int> KeptEpochs(const std::string& run) {
  std::vector<int> epochs;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(run + "/kept", error)) {
    const std::string name = entry.path().filename().string();
    absl::string_view number = name;
    int epoch = 0;
    if (absl::ConsumePrefix(&number, "epoch_") &&
        absl::SimpleAtoi(number, &epoch) && epoch > 0 &&
        FileExists(KeptDirectory(run, epoch) + "/model.safetensors")) {
      epochs.push_back(epoch);
    }
  }
  std::sort(epochs.begin(), epochs.end());
  return epochs;
}

absl::Status SaveLanguageModel(const std::string& directory,
                               const VocabularyFiles& vocabulary,
                               const InitialModel& model) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(directory + "/vocab.json", vocabulary.vocab_json));
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(directory + "/merges.txt", vocabulary.merges_txt));
  return WithTorchFence([&] {
    Gpt2Weights weights = model.weights;
    for (auto& [name, tensor] : weights.Named()) {
      *tensor = tensor->detach().to(at::kCPU);
    }
    if (model.config.tie_word_embeddings) weights.lm_head = weights.wte;
    return SaveGpt2(directory, model.config, weights);
  });
}

}  // namespace alignsae
