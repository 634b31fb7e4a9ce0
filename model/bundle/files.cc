#include "model/bundle/files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

bool IsRead(absl::string_view name) {
  return name != "value_heads.safetensors" && name != ".gitattributes" &&
         !absl::EndsWith(name, ".md");
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FilesThatDecide(
    const std::string& directory, const Manifest& manifest) {
  std::vector<std::string> parts = {manifest.model_path};
  for (const ManifestSae& sae : manifest.saes) parts.push_back(sae.path);
  std::vector<std::string> files;
  for (const std::string& part : parts) {
    const std::string below = absl::StrCat(directory, "/", part);
    std::error_code error;
    for (std::filesystem::directory_iterator it(below, error), end;
         !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (!it->is_directory(error) && IsRead(name)) {
        files.push_back(absl::StrCat(part, "/", name));
      }
    }
    if (error) return PosixError(below, "list", error.value());
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

absl::StatusOr<std::map<std::string, std::string>> HashesOfFiles(
    const std::string& directory, const Manifest& manifest) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                            FilesThatDecide(directory, manifest));
  std::map<std::string, std::string> hashes;
  for (const std::string& file : files) {
    ALIGNSAE_ASSIGN_OR_RETURN(hashes[file],
                              Sha256OfFile(absl::StrCat(directory, "/", file)));
  }
  return hashes;
}

}  // namespace alignsae
