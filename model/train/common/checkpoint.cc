#include "model/train/common/checkpoint.h"

#include <ATen/core/grad_mode.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"
#include "model/io/tensor_file.h"

namespace alignsae {
namespace {

constexpr char kHashKey[] = "content_sha256";

std::string ShapeText(const at::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes(), ", "), "]");
}

// Of names, shapes, values and metadata. Safetensors has no checksum of its
// own.
std::string ContentHash(const std::map<std::string, at::Tensor>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  std::string content;
  for (const auto& [name, tensor] : tensors) {  // Contiguous, on the CPU.
    const absl::string_view bytes(static_cast<const char*>(tensor.data_ptr()),
                                  tensor.nbytes());
    absl::StrAppend(&content, name, " ", ShapeText(tensor), " ",
                    Sha256Hex(bytes), "\n");
  }
  for (const auto& [key, value] : metadata) {
    if (key != kHashKey) {
      absl::StrAppend(&content, key, " ", Sha256Hex(value), "\n");
    }
  }
  return Sha256Hex(content);
}

}  // namespace

absl::Status CheckSameOptions(const std::string& path,
                              const nlohmann::ordered_json& ours,
                              absl::string_view text) {
  const absl::StatusOr<nlohmann::json> theirs = ParseJson(text);
  if (!theirs.ok() || !theirs->is_object()) {
    return absl::DataLossError(
        absl::StrCat(path, ": options: must be JSON, got none"));
  }
  for (const auto& [key, value] : ours.items()) {
    const auto it = theirs->find(key);
    const nlohmann::json plain = value;
    if (it != theirs->end() && *it == plain) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": ", key, ": must be the run's own to continue it, ",
        it == theirs->end() ? "none" : it->dump(), ", got ", value.dump(),
        "; choose another directory or start again with --restart"));
  }
  return absl::OkStatus();
}

absl::Status WriteTrainingState(
    const std::string& path, const NamedTensors& tensors,
    const std::map<std::string, std::string>& metadata) {
  std::map<std::string, at::Tensor> by_name;
  NamedTensors to_write;
  for (const auto& [name, tensor] : tensors) {
    at::Tensor copy = tensor.detach().to(at::kCPU).contiguous();
    by_name[name] = copy;
    to_write.emplace_back(name, std::move(copy));
  }
  std::map<std::string, std::string> with_hash = metadata;
  with_hash[kHashKey] = ContentHash(by_name, metadata);
  return WriteTensors(path, to_write, with_hash);
}

absl::StatusOr<TrainingStateFile> TrainingStateFile::Open(
    const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(path));
  TrainingStateFile state;
  state.path_ = path;
  state.metadata_ = file.header().metadata;
  for (const auto& [name, entry] : file.header().tensors) {
    ALIGNSAE_ASSIGN_OR_RETURN(state.tensors_[name],
                              ReadFloatTensor(file, name, entry.shape));
  }
  if (state.Metadata(kHashKey) !=
      ContentHash(state.tensors_, state.metadata_)) {
    return absl::DataLossError(absl::StrCat(
        path,
        ": content must have the SHA-256 in its metadata; the file is "
        "damaged, remove it to start again"));
  }
  return state;
}

std::string TrainingStateFile::Metadata(const std::string& key) const {
  const auto it = metadata_.find(key);
  return it == metadata_.end() ? "" : it->second;
}

absl::Status TrainingStateFile::CopyInto(const NamedTensors& tensors) const {
  at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : tensors) {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": ", name, ": must be there, got none"));
    }
    if (it->second.sizes() != tensor.sizes()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": ", name, ": must be ", ShapeText(tensor),
                       ", got ", ShapeText(it->second)));
    }
  }
  if (tensors.size() != tensors_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": must have ", tensors.size(), " tensors, got ",
                     tensors_.size()));
  }
  for (const auto& [name, tensor] : tensors) {
    at::Tensor target = tensor;  // A handle to the same storage.
    target.copy_(tensors_.at(name));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
