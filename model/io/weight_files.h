// The weights of a Hugging Face directory: model.safetensors, or the shards
// that model.safetensors.index.json names.
//
// Where model.safetensors is there, an index beside it is not read: it is what
// an earlier save left. An index names its shards by plain file names of the
// same directory; it lists every tensor of them, and each tensor is in the
// shard that it names and in no other.
//
// Thread-safety: WeightFiles is immutable after Open; free functions.
// Errors: FAILED_PRECONDITION for a pickle, with what to do about it; NOT_FOUND
// for no weights at all or a missing shard; INVALID_ARGUMENT "<path>: <key>:
// <rule>" for an index; as safetensors.h for the files.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(const WeightFiles weights,
//                             WeightFiles::Open("gpt2"));
//   const SafetensorsFile* file = weights.FileWith("wte.weight");

#ifndef ALIGNSAE_MODEL_IO_WEIGHT_FILES_H_
#define ALIGNSAE_MODEL_IO_WEIGHT_FILES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/io/safetensors.h"

namespace alignsae {

inline constexpr absl::string_view kWholeWeights = "model.safetensors";
inline constexpr absl::string_view kWeightsIndex =
    "model.safetensors.index.json";

// OK when there are weights that Open would look at.
absl::Status CheckWeights(const std::string& directory);
// OK when all of them are in model.safetensors, which is the one form that
// bundles and the trainer have. FAILED_PRECONDITION for shards.
absl::Status CheckWholeWeights(const std::string& directory);
// Whether an index lies beside model.safetensors and is not read.
bool HasStaleIndex(const std::string& directory);

// {shard's file name: names of its tensors} of an index, given its contents.
// Messages begin with kWeightsIndex.
absl::StatusOr<std::map<std::string, std::vector<std::string>>>
ParseWeightsIndex(absl::string_view json);

// Names of the shards that the index in `directory` names, sorted.
absl::StatusOr<std::vector<std::string>> ShardNames(
    const std::string& directory);

class WeightFiles {
 public:
  static absl::StatusOr<WeightFiles> Open(const std::string& directory);

  // model.safetensors or the index: what an error about a tensor that is in no
  // file names.
  const std::string& path() const { return path_; }
  const std::vector<SafetensorsFile>& files() const { return files_; }
  // The file that has a tensor of this name, or nullptr.
  const SafetensorsFile* FileWith(const std::string& name) const;

 private:
  WeightFiles() = default;
  std::string path_;
  std::vector<SafetensorsFile> files_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_IO_WEIGHT_FILES_H_
