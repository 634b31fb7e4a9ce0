#include "model/bundle/verified_files.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/files.h"
#include "model/io/safetensors.h"

namespace alignsae {
namespace {

// What is too long to be loaded is not read to its end for its hash.
absl::Status CheckSize(const std::string& path) {
  if (absl::EndsWith(path, ".safetensors")) {
    return SafetensorsFile::Open(path).status();  // Its header says how long.
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const OpenedFile file, OpenRegularFile(path));
  if (file.size <= static_cast<uint64_t>(kMaxTextFileBytes)) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat(path, ": must be at most ",
                                                   kMaxTextFileBytes,
                                                   " bytes, got ", file.size));
}

}  // namespace

absl::Status VerifiedFiles::CheckListed(const Manifest& manifest,
                                        absl::string_view below) {
  if (!verify_) return absl::OkStatus();
  for (const auto& [path, sha256] : manifest.files) {
    if (!absl::StartsWith(path, below)) continue;
    ALIGNSAE_RETURN_IF_ERROR(Hash(absl::StrCat(root_, "/", path), sha256));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> present,
                            FilesThatDecide(root_, manifest));
  for (const std::string& path : present) {
    if (!absl::StartsWith(path, below) || manifest.files.count(path) > 0) {
      continue;
    }
    return absl::DataLossError(absl::StrCat(
        root_, "/", path,
        ": must be listed in bundle.json's files, or not be there"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> VerifiedFiles::HashOf(const std::string& path) {
  if (!verify_) return std::string();
  ALIGNSAE_RETURN_IF_ERROR(Hash(path, ""));
  return files_.back().sha256();
}

absl::Status VerifiedFiles::CheckUnchanged() const {
  for (const HashedFile& file : files_) {
    ALIGNSAE_RETURN_IF_ERROR(file.CheckUnchanged());
  }
  return absl::OkStatus();
}

absl::Status VerifiedFiles::Hash(const std::string& path,
                                 const std::string& expected) {
  ALIGNSAE_RETURN_IF_ERROR(CheckSize(path));
  ALIGNSAE_ASSIGN_OR_RETURN(HashedFile file, HashedFile::Of(path, notes_));
  if (!expected.empty() && file.sha256() != expected) {
    return absl::DataLossError(
        absl::StrCat(path, ": sha256: must be ", expected,
                     " as in bundle.json, got ", file.sha256()));
  }
  files_.push_back(std::move(file));
  return absl::OkStatus();
}

}  // namespace alignsae
