#include "model/train/pipeline/bundle.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/bundle_writer.h"
#include "model/sae/config.h"
#include "model/train/eval/eval.h"

namespace alignsae {
namespace {

absl::Status MakeDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? PosixError(path, "create", error.value()) : absl::OkStatus();
}

absl::Status CopyFiles(const std::string& from, const std::string& to,
                       const std::vector<std::string>& names) {
  ALIGNSAE_RETURN_IF_ERROR(MakeDirectory(to));
  for (const std::string& name : names) {
    std::error_code error;
    std::filesystem::copy_file(absl::StrCat(from, "/", name),
                               absl::StrCat(to, "/", name), error);
    if (error) {
      return PosixError(absl::StrCat(from, "/", name), "copy", error.value());
    }
  }
  return absl::OkStatus();
}

absl::Status Fill(const std::string& directory, const BundleParts& parts) {
  const std::string sae = absl::StrCat("sae/", kBundleSaeName);
  ALIGNSAE_RETURN_IF_ERROR(CopyFiles(
      parts.model_directory, directory + "/gpt2",
      {"config.json", "model.safetensors", "vocab.json", "merges.txt"}));
  ALIGNSAE_RETURN_IF_ERROR(CopyFiles(
      parts.sae_directory, absl::StrCat(directory, "/", sae),
      {"cfg.json", "sae_weights.safetensors", "value_heads.safetensors"}));
  ALIGNSAE_RETURN_IF_ERROR(MakeDirectory(directory + "/eval"));
  ALIGNSAE_RETURN_IF_ERROR(WriteEvalSet(directory + "/eval", *parts.eval_set));

  ALIGNSAE_ASSIGN_OR_RETURN(const std::string cfg,
                            ReadFile(parts.sae_directory + "/cfg.json"));
  ALIGNSAE_ASSIGN_OR_RETURN(const SaeConfig config, ParseSaeConfig(cfg));
  ALIGNSAE_ASSIGN_OR_RETURN(const SteeringChoice choice,
                            ChoiceOf(parts.manifest.evaluation));
  Manifest manifest = parts.manifest;
  manifest.model_path = "gpt2";
  manifest.prompt_template = parts.eval_set->prompt_template;
  ManifestSae entry = ManifestSaeOf(kBundleSaeName, config);
  entry.recommended_mode = choice.mode;
  entry.recommended_alpha = choice.alpha;
  manifest.saes = {entry};
  ALIGNSAE_RETURN_IF_ERROR(WriteManifestWithHashes(directory, manifest));
  return LoadBundle(directory, {.whole_sae = true}).status();
}

}  // namespace

absl::Status WritePipelineBundle(const std::string& directory,
                                 const BundleParts& parts) {
  return WriteBundleAtomically(directory, [&](const std::string& temporary) {
    return Fill(temporary, parts);
  });
}

}  // namespace alignsae
