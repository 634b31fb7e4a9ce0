#include "model/io/weights_file.h"

#include "absl/strings/str_cat.h"
#include "model/base/file.h"

namespace alignsae {
namespace {

// What transformers is told to write one file of any of the other forms.
constexpr char kSaveAsOne[] =
    "save_pretrained(..., safe_serialization=True, max_shard_size=\"100GB\")";

}  // namespace

absl::Status CheckWeightsFile(const std::string& directory) {
  const auto has = [&directory](const char* name) {
    return FileExists(absl::StrCat(directory, "/", name));
  };
  if (has("model.safetensors")) return absl::OkStatus();
  if (has("model.safetensors.index.json")) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory,
                     "/model.safetensors.index.json: weights in several files "
                     "are not read; write one model.safetensors by ",
                     kSaveAsOne));
  }
  for (const char* pickle :
       {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!has(pickle)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        directory, "/", pickle,
        ": pickles are not read; write model.safetensors by ", kSaveAsOne));
  }
  return absl::NotFoundError(absl::StrCat(
      directory, "/model.safetensors: must be there, got nothing"));
}

}  // namespace alignsae
