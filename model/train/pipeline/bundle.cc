#include "model/train/pipeline/bundle.h"

#include <filesystem>
#include <memory>
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
#include "model/train/eval/examples.h"

namespace alignsae {
namespace {

absl::Status CopyFiles(const std::string& from, const std::string& to,
                       const std::vector<std::string>& names) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(to));
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

// Writes cfg.json anew with an example for each concept.
absl::StatusOr<SaeConfig> PutExamples(
    const std::string& path, const std::vector<std::string>& examples) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIGNSAE_ASSIGN_OR_RETURN(SaeConfig config, ParseSaeConfig(text));
  if (examples.size() != config.concepts.size()) {
    return absl::InvalidArgumentError(absl::StrCat("examples: must be ",
                                                   config.concepts.size(),
                                                   ", got ", examples.size()));
  }
  for (size_t r = 0; r < examples.size(); ++r) {
    config.concepts[r].example = examples[r];
  }
  ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(path, SaeConfigToJson(config)));
  return config;
}

absl::Status Fill(const std::string& directory, const BundleParts& parts) {
  const std::string sae = absl::StrCat("sae/", kBundleSaeName);
  ALIGNSAE_RETURN_IF_ERROR(CopyFiles(
      parts.model_directory, directory + "/gpt2",
      {"config.json", "model.safetensors", "vocab.json", "merges.txt"}));
  ALIGNSAE_RETURN_IF_ERROR(CopyFiles(
      parts.sae_directory, absl::StrCat(directory, "/", sae),
      {"cfg.json", "sae_weights.safetensors", "value_heads.safetensors"}));
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory + "/eval"));
  ALIGNSAE_RETURN_IF_ERROR(WriteEvalSet(directory + "/eval", *parts.eval_set));

  const std::string cfg = absl::StrCat(directory, "/", sae, "/cfg.json");
  ALIGNSAE_ASSIGN_OR_RETURN(const SaeConfig config,
                            PutExamples(cfg, parts.examples));
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

// The examples of each checkpoint of a bundle.
absl::StatusOr<std::vector<std::vector<std::string>>> ExamplesOf(
    const std::string& directory, const Manifest& manifest,
    const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::shared_ptr<const Bundle> bundle,
                            LoadBundle(directory, {.whole_sae = true}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const EvalSet set,
      ReadEvalSet(directory + "/eval", manifest.prompt_template));
  const EvalInputs inputs = {bundle->model, bundle->tokenizer, &set};
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(inputs, bundle->saes, options.rows));
  std::vector<std::vector<std::string>> examples;
  for (size_t i = 0; i < manifest.saes.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(subject->saes()[i], set));
    SteeringChoice choice;
    choice.checkpoint = static_cast<int>(i);
    choice.mode = manifest.saes[i].recommended_mode;
    choice.alpha = manifest.saes[i].recommended_alpha;
    ALIGNSAE_ASSIGN_OR_RETURN(examples.emplace_back(),
                              ChooseExamples(*subject, choice, options));
  }
  return examples;
}

}  // namespace

absl::Status RefreshExamples(const std::string& directory,
                             const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadFile(directory + "/bundle.json"));
  ALIGNSAE_ASSIGN_OR_RETURN(const Manifest old, ParseManifest(text));
  ALIGNSAE_ASSIGN_OR_RETURN(const auto examples,
                            ExamplesOf(directory, old, options));
  return WriteBundleAtomically(
      directory, [&](const std::string& temporary) -> absl::Status {
        std::error_code error;
        std::filesystem::copy(directory, temporary,
                              std::filesystem::copy_options::recursive, error);
        if (error) return PosixError(directory, "copy", error.value());
        Manifest manifest = old;
        for (size_t i = 0; i < manifest.saes.size(); ++i) {
          ManifestSae& sae = manifest.saes[i];
          ALIGNSAE_RETURN_IF_ERROR(
              PutExamples(absl::StrCat(temporary, "/", sae.path, "/cfg.json"),
                          examples[i])
                  .status());
          for (size_t r = 0; r < sae.concepts.size(); ++r) {
            sae.concepts[r].example = examples[i][r];
          }
        }
        ALIGNSAE_RETURN_IF_ERROR(WriteManifestWithHashes(temporary, manifest));
        return LoadBundle(temporary, {.whole_sae = true}).status();
      });
}

absl::Status WritePipelineBundle(const std::string& directory,
                                 const BundleParts& parts) {
  return WriteBundleAtomically(directory, [&](const std::string& temporary) {
    return Fill(temporary, parts);
  });
}

}  // namespace alignsae
