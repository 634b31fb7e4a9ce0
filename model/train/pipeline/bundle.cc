#include "model/train/pipeline/bundle.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/bundle_writer.h"
#include "model/bundle/measured_swaps.h"
#include "model/bundle/validation_prompts.h"
#include "model/sae/config.h"
#include "model/sae/written.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/eval.h"
#include "model/train/eval/examples.h"
#include "model/train/pipeline/doctor.h"

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

using ChangeConcepts = absl::FunctionRef<absl::Status(
    const std::string& sae_directory, size_t checkpoint,
    std::vector<Concept>& concepts)>;

// Writes a checkpoint's cfg.json anew with its concepts changed.
absl::StatusOr<SaeConfig> ChangeConfig(const std::string& directory,
                                       size_t checkpoint,
                                       ChangeConcepts change) {
  const std::string path = directory + "/cfg.json";
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  ALIGNSAE_ASSIGN_OR_RETURN(SaeConfig config, ParseSaeConfig(text));
  ALIGNSAE_RETURN_IF_ERROR(change(directory, checkpoint, config.concepts));
  ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(path, SaeConfigToJson(config)));
  return config;
}

absl::Status PutExamples(const std::vector<std::string>& examples,
                         std::vector<Concept>& concepts) {
  if (examples.size() != concepts.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "examples: must be ", concepts.size(), ", got ", examples.size()));
  }
  for (size_t r = 0; r < examples.size(); ++r) {
    concepts[r].example = examples[r];
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
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory + "/eval"));
  ALIGNSAE_RETURN_IF_ERROR(WriteEvalSet(directory + "/eval", *parts.eval_set));

  ALIGNSAE_ASSIGN_OR_RETURN(
      const SaeConfig config,
      ChangeConfig(
          absl::StrCat(directory, "/", sae), /*checkpoint=*/0,
          [&](const std::string& sae_directory, size_t,
              std::vector<Concept>& concepts) -> absl::Status {
            ALIGNSAE_RETURN_IF_ERROR(PutExamples(parts.examples, concepts));
            return PutCertificates(sae_directory, parts.certified, concepts);
          }));
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
  ALIGNSAE_RETURN_IF_ERROR(RecordDoctorFacts(directory).status());
  return LoadBundle(directory, {.whole_sae = true}).status();
}

// Writes the bundle anew with the concepts of its checkpoints changed, and with
// `negatives` as kNegativesFile where they are not empty.
absl::Status RewriteBundle(const std::string& directory, const Manifest& old,
                           ChangeConcepts change,
                           const std::string& negatives = "") {
  return WriteBundleAtomically(
      directory, [&](const std::string& temporary) -> absl::Status {
        std::error_code error;
        std::filesystem::copy(directory, temporary,
                              std::filesystem::copy_options::recursive, error);
        if (error) return PosixError(directory, "copy", error.value());
        if (!negatives.empty()) {
          ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(
              absl::StrCat(temporary, "/", kNegativesFile), negatives));
        }
        Manifest manifest = old;
        for (size_t i = 0; i < manifest.saes.size(); ++i) {
          ALIGNSAE_ASSIGN_OR_RETURN(
              SaeConfig config,
              ChangeConfig(absl::StrCat(temporary, "/", manifest.saes[i].path),
                           i, change));
          manifest.saes[i].concepts = std::move(config.concepts);
        }
        ALIGNSAE_RETURN_IF_ERROR(WriteManifestWithHashes(temporary, manifest));
        return LoadBundle(temporary, {.whole_sae = true}).status();
      });
}

// A bundle that is there, and what may measure it.
struct OpenedBundle {
  Manifest manifest;
  std::shared_ptr<const Bundle> loaded;
};

absl::StatusOr<OpenedBundle> OpenBundle(const std::string& directory) {
  OpenedBundle opened;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadFile(directory + "/bundle.json"));
  ALIGNSAE_ASSIGN_OR_RETURN(opened.manifest, ParseManifest(text));
  ALIGNSAE_ASSIGN_OR_RETURN(opened.loaded,
                            LoadBundle(directory, {.whole_sae = true}));
  return opened;
}

// The examples of each checkpoint of a bundle.
absl::StatusOr<std::vector<std::vector<std::string>>> ExamplesOf(
    const EvalSet& set, const OpenedBundle& opened,
    const EvalOptions& options) {
  const Bundle& bundle = *opened.loaded;
  const EvalInputs inputs = {bundle.model, bundle.tokenizer, &set};
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(inputs, bundle.saes, options.rows));
  std::vector<std::vector<std::string>> examples;
  for (size_t i = 0; i < bundle.saes.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(subject->saes()[i], set));
    const ManifestSae& entry = opened.manifest.saes[i];
    SteeringChoice choice;
    choice.checkpoint = static_cast<int>(i);
    choice.mode = entry.recommended_mode;
    choice.alpha = entry.recommended_alpha;
    ALIGNSAE_ASSIGN_OR_RETURN(examples.emplace_back(),
                              ChooseExamples(*subject, choice, options));
  }
  return examples;
}

// Of the checkpoints that can be measured, from the first on.
absl::StatusOr<std::vector<Certified>> CertifiedOf(
    const std::string& directory, const OpenedBundle& opened,
    const CertifySources& sources, const std::vector<Negative>& negatives) {
  const Bundle& bundle = *opened.loaded;
  const nlohmann::json& evaluation = opened.manifest.evaluation;
  std::vector<Certified> certified;
  for (const Sae& sae : bundle.saes) {
    if (!sae.config().slots_act_alike) continue;
    return absl::FailedPreconditionError(
        absl::StrCat(directory,
                     ": must hold checkpoints of alignsae-train to certify, "
                     "got one of SAELens"));
  }
  if (!sources.prompts.empty()) {
    if (bundle.saes.empty()) return certified;
    ALIGNSAE_ASSIGN_OR_RETURN(const PromptSet set,
                              ReadPrompts(sources.prompts, sources.split_seed));
    ALIGNSAE_ASSIGN_OR_RETURN(
        certified.emplace_back(),
        CertifyOnPrompts({bundle.model, bundle.tokenizer, nullptr},
                         bundle.saes.front(), set, evaluation));
    return certified;
  }
  if (!FileExists(directory + "/eval/people.jsonl")) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory,
                     "/eval: must be there, or labelled prompts given with "
                     "--prompts, to measure on"));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const EvalSet set,
      ReadEvalSet(directory + "/eval", opened.manifest.prompt_template));
  for (size_t i = 0; i < bundle.saes.size(); ++i) {
    // The evaluation speaks of one checkpoint alone.
    const bool is_evaluated = i == EvaluatedCheckpoint(evaluation);
    ALIGNSAE_ASSIGN_OR_RETURN(
        certified.emplace_back(),
        CertifyOnPeople({bundle.model, bundle.tokenizer, &set}, bundle.saes[i],
                        is_evaluated ? evaluation : nlohmann::json::object(),
                        negatives));
  }
  return certified;
}

// The text of the negatives: the given file's, else the bundle's own; empty
// where there are none, or labelled prompts have theirs.
absl::StatusOr<std::string> NegativesOf(const std::string& directory,
                                        const CertifySources& sources) {
  if (!sources.negatives.empty()) {
    if (sources.prompts.empty()) return ReadFile(sources.negatives);
    return absl::InvalidArgumentError(
        absl::StrCat("--negatives: must not be given with --prompts, whose "
                     "lines without a concept are the negatives, got ",
                     sources.negatives));
  }
  const std::string own = absl::StrCat(directory, "/", kNegativesFile);
  if (!sources.prompts.empty() || !FileExists(own)) return std::string();
  return ReadFile(own);
}

absl::StatusOr<std::vector<Negative>> ParsedNegatives(
    const std::string& text, const CertifySources& sources) {
  if (text.empty()) return std::vector<Negative>();
  return ParseNegatives(
      text, sources.negatives.empty() ? kNegativesFile : sources.negatives);
}

}  // namespace

absl::Status PutCertificates(const std::string& directory,
                             const Certified& certified,
                             std::vector<Concept>& concepts) {
  if (certified.certificates.size() != concepts.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("certificates: must be ", concepts.size(), ", got ",
                     certified.certificates.size()));
  }
  for (size_t r = 0; r < concepts.size(); ++r) {
    concepts[r].certificate = certified.certificates[r];
  }
  ALIGNSAE_RETURN_IF_ERROR(SaveClassMeans(directory, certified.class_means));
  if (!certified.validation.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(directory, "/", kValidationFile),
                            ValidationPromptsToJsonl(certified.validation)));
  }
  return certified.gated.gate ? certified.gated.gate->Save(directory)
                              : absl::OkStatus();
}

void PutGateFigures(const Certified& certified, const std::string& checkpoint,
                    nlohmann::json& evaluation) {
  if (!certified.gated.gate) return;
  evaluation["gate"][checkpoint] = certified.gated.figures;
}

absl::Status CertifyBundle(const std::string& directory,
                           const CertifySources& sources) {
  ALIGNSAE_ASSIGN_OR_RETURN(OpenedBundle opened, OpenBundle(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string negatives,
                            NegativesOf(directory, sources));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<Negative> parsed,
                            ParsedNegatives(negatives, sources));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<Certified> certified,
                            CertifiedOf(directory, opened, sources, parsed));
  for (size_t i = 0; i < certified.size(); ++i) {
    PutGateFigures(certified[i], opened.manifest.saes[i].name,
                   opened.manifest.evaluation);
  }
  return RewriteBundle(
      directory, opened.manifest,
      [&](const std::string& sae_directory, size_t checkpoint,
          std::vector<Concept>& concepts) {
        return checkpoint < certified.size()
                   ? PutCertificates(sae_directory, certified[checkpoint],
                                     concepts)
                   : absl::OkStatus();
      },
      negatives);
}

absl::Status RefreshExamples(const std::string& directory,
                             const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const OpenedBundle opened, OpenBundle(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const EvalSet set,
      ReadEvalSet(directory + "/eval", opened.manifest.prompt_template));
  ALIGNSAE_ASSIGN_OR_RETURN(const auto examples,
                            ExamplesOf(set, opened, options));
  return RewriteBundle(directory, opened.manifest,
                       [&](const std::string&, size_t checkpoint,
                           std::vector<Concept>& concepts) {
                         return PutExamples(examples[checkpoint], concepts);
                       });
}

absl::Status WritePipelineBundle(const std::string& directory,
                                 const BundleParts& parts) {
  return WriteBundleAtomically(directory, [&](const std::string& temporary) {
    return Fill(temporary, parts);
  });
}

}  // namespace alignsae
