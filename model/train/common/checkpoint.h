// Training state on disk: one safetensors file with weights, optimiser moments
// and, as metadata, everything else a run needs to go on as if it had never
// stopped. Written to a temporary file and renamed; its content hash is checked
// on read, so that a damaged file is refused and not trained on.
//
// Thread-safety: free functions; TrainingStateFile is immutable after Open.
// Errors: as model/io/safetensors.h; DATA_LOSS for a content hash that differs;
// INVALID_ARGUMENT naming the tensor that is missing, extra or mis-shaped.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_CHECKPOINT_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_CHECKPOINT_H_

#include <ATen/ATen.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/io/safetensors.h"
#include "nlohmann/json.hpp"

namespace alignsae {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// `tensors` are float32, on any device.
absl::Status WriteTrainingState(
    const std::string& path, const NamedTensors& tensors,
    const std::map<std::string, std::string>& metadata);

class TrainingStateFile {
 public:
  // Reads all tensors into memory and checks the content hash.
  static absl::StatusOr<TrainingStateFile> Open(const std::string& path);

  // "" when absent.
  std::string Metadata(const std::string& key) const;

  // Copies every tensor of the file into the one of the same name; both sides
  // must have the same names and shapes.
  absl::Status CopyInto(const NamedTensors& tensors) const;

 private:
  std::string path_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, at::Tensor> tensors_;
};

// Whether the options that the state file at `path` holds as JSON (`text`) are
// `ours`. FAILED_PRECONDITION names the first that differs; DATA_LOSS when
// `text` is no JSON object.
absl::Status CheckSameOptions(const std::string& path,
                              const nlohmann::ordered_json& ours,
                              absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_CHECKPOINT_H_
