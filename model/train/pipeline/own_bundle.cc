#include "model/train/pipeline/own_bundle.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/bundle_writer.h"
#include "model/sae/config.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/certificate.h"
#include "model/train/eval/prompt_eval.h"
#include "model/train/pipeline/bundle.h"
#include "model/train/pipeline/doctor.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

constexpr size_t kStoredPrompts = 200;

// What a loader may read; not what only training needs.
bool IsServed(const std::string& name) {
  if (name == "value_heads.safetensors" || name == "training.safetensors" ||
      name == "lm.json" || name == "trainer_state.json") {
    return false;
  }
  return absl::EndsWith(name, ".json") ||
         absl::EndsWith(name, ".safetensors") || name == "merges.txt" ||
         name == "labels.jsonl";
}

absl::Status CopyServed(const std::string& from, const std::string& to) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(to));
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!it->is_regular_file(error) || !IsServed(name)) continue;
    fs::copy_file(it->path(), absl::StrCat(to, "/", name), error);
    if (error) return PosixError(it->path().string(), "copy", error.value());
  }
  return error ? PosixError(from, "list", error.value()) : absl::OkStatus();
}

// Evaluation, stored prompts and write certificates of the first checkpoint.
absl::Status Measure(const OwnBundle& parts, Manifest& manifest,
                     std::optional<Certified>& certified) {
  if (parts.prompts.empty()) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const PromptSet set,
                            ReadPrompts(parts.prompts, parts.split_seed));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Bundle> loaded,
      LoadParts(parts.model_directory, {parts.sae_directories.front()},
                {.whole_sae = true}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      manifest.evaluation["prompts"],
      EvaluatePrompts(*loaded, set, {.alpha = parts.alpha}));
  const Sae& sae = loaded->saes.front();
  if (!sae.config().slots_act_alike) {  // SAELens's cfg.json has no room.
    ALIGNSAE_ASSIGN_OR_RETURN(
        certified, CertifyOnPrompts({loaded->model, loaded->tokenizer, nullptr},
                                    sae, set, manifest.evaluation));
    PutGateFigures(*certified, LastPart(parts.sae_directories.front()),
                   manifest.evaluation);
  }
  for (const LabelledPrompt& prompt : set.prompts) {
    // Where nothing else is stored, these are read at their last token.
    const bool last = prompt.position == -1 && prompt.position_text.empty();
    if (prompt.split != Split::kTest || prompt.text.empty() ||
        prompt.concepts.size() != 1 || (!last && !certified) ||
        manifest.prompts.size() == kStoredPrompts) {
      continue;
    }
    manifest.prompts.push_back(
        {prompt.text, set.concepts[prompt.concepts.front()]});
  }
  return absl::OkStatus();
}

absl::Status Fill(const std::string& directory, const OwnBundle& parts,
                  const std::optional<Certified>& certified,
                  Manifest manifest) {
  manifest.model_path = "model";
  ALIGNSAE_RETURN_IF_ERROR(
      CopyServed(parts.model_directory, directory + "/model"));
  for (const std::string& from : parts.sae_directories) {
    const std::string name = LastPart(from);
    const std::string to = absl::StrCat(directory, "/sae/", name);
    ALIGNSAE_RETURN_IF_ERROR(CopyServed(from, to));
    ALIGNSAE_ASSIGN_OR_RETURN(const Sae sae,  // With labels.jsonl's names.
                              Sae::Load(to, Sae::LoadMode::kConceptsOnly));
    SaeConfig config = sae.config();
    if (certified && manifest.saes.empty()) {
      ALIGNSAE_RETURN_IF_ERROR(
          PutCertificates(to, *certified, config.concepts));
      ALIGNSAE_RETURN_IF_ERROR(
          WriteFileAtomically(to + "/cfg.json", SaeConfigToJson(config)));
    }
    ManifestSae entry = ManifestSaeOf(name, config);
    entry.recommended_mode = InterventionMode::kSwap;
    entry.recommended_alpha = parts.alpha;
    manifest.saes.push_back(std::move(entry));
  }
  ALIGNSAE_RETURN_IF_ERROR(WriteManifestWithHashes(directory, manifest));
  ALIGNSAE_RETURN_IF_ERROR(RecordDoctorFacts(directory).status());
  return LoadBundle(directory, {.whole_sae = true}).status();
}

}  // namespace

absl::Status WriteOwnBundle(const std::string& directory,
                            const OwnBundle& parts) {
  Manifest manifest;
  manifest.name = parts.name.empty() ? LastPart(directory) : parts.name;
  manifest.version = parts.version;
  manifest.prompt_template = parts.prompt_template;
  manifest.provenance_command = parts.command;
  manifest.provenance_seed = parts.split_seed;
  if (!parts.commit.empty())
    manifest.provenance_commits["bundle"] = parts.commit;
  ALIGNSAE_RETURN_IF_ERROR(CheckManifestName("--name", manifest.name));
  ALIGNSAE_RETURN_IF_ERROR(CheckManifestName("--version", manifest.version));
  ALIGNSAE_RETURN_IF_ERROR(CheckReplaceableByBundle(directory));
  std::optional<Certified> certified;
  ALIGNSAE_RETURN_IF_ERROR(Measure(parts, manifest, certified));
  return WriteBundleAtomically(directory, [&](const std::string& temporary) {
    return Fill(temporary, parts, certified, manifest);
  });
}

}  // namespace alignsae
