#include "model/bundle/assembly.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/doctor.h"
#include "model/bundle/families.h"
#include "model/bundle/generation_config.h"
#include "model/bundle/type_check.h"
#include "model/bundle/validation_prompts.h"
#include "model/sae/written.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxManifestBytes = int64_t{16} << 20;

// The tokenizer may know fewer tokens than the model (whose embedding is often
// padded), never more: its ids index the embedding.
absl::Status CheckVocabulary(const std::string& directory,
                             const Tokenizer& tokenizer,
                             const TransformerFacts& model) {
  if (tokenizer.vocab_size() <= model.vocab_size) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory, ": tokenizer: must have at most ", model.vocab_size,
      " tokens, the model's vocab_size, got ", tokenizer.vocab_size()));
}

// As in Hugging Face's generate(), generation_config.json goes before
// config.json; both go before the tokenizer's <|endoftext|>, for a model may
// have been taught another end. A file that names no id of the vocabulary does
// not decide.
std::vector<int32_t> EndTokensOf(const GenerationConfig& generation,
                                 const LoadedTransformer& loaded,
                                 const Tokenizer& tokenizer) {
  if (!generation.end_tokens.ids.empty()) return generation.end_tokens.ids;
  if (!loaded.end_tokens.ids.empty()) return loaded.end_tokens.ids;
  return EndTokens::Only(tokenizer.eos_token_id()).ids;
}

absl::Status CheckFits(const std::string& directory, const SaeConfig& sae,
                       const TransformerFacts& model) {
  if (sae.d_model != model.d_model) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, "/cfg.json: d_in: must be ", model.d_model,
                     ", the model's d_model, got ", sae.d_model));
  }
  if (const std::optional<FieldError> error =
          HookPointError(sae.hook, model.n_layer, model.parallel_residual)) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory,
        "/cfg.json: ", InField("hook", FieldStatus(*error)).message()));
  }
  return absl::OkStatus();
}

// What one checkpoint wants in front of its texts, all get: the server has one
// way from a text to a prompt. Bundles have none, nor does what measures them.
absl::Status CheckBos(const std::string& directory, const SaeConfig& config,
                      const ManifestSae* entry, const Catalog& catalog,
                      const Tokenizer& tokenizer) {
  const std::string field =
      absl::StrCat(directory, "/cfg.json: prepend_bos: must be ");
  if (config.prepend_bos && entry != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(field, "false in a bundle, got true"));
  }
  if (!catalog.checkpoints.empty() &&
      catalog.model.bos_token_id.has_value() != config.prepend_bos) {
    return absl::FailedPreconditionError(
        absl::StrCat(field, config.prepend_bos ? "false" : "true",
                     " as in the checkpoints before it, got ",
                     config.prepend_bos ? "true" : "false"));
  }
  if (config.prepend_bos && tokenizer.eos_token_id() < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        field, "false where the tokenizer has no <|endoftext|>, got true"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Concept>> ConceptsOf(const Sae& sae) {
  // ||d_j|| of every concept, [R].
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor norms, WithTorchFence([&sae] {
                              return sae.concept_decoder()
                                  .norm(2, /*dim=*/1)
                                  .to(at::kCPU, at::kDouble)
                                  .contiguous();
                            }));
  std::vector<Concept> concepts = sae.config().concepts;
  for (size_t r = 0; r < concepts.size(); ++r) {
    concepts[r].decoder_norm = norms.data_ptr<double>()[r];
  }
  return concepts;
}

}  // namespace

absl::Status Prefixed(absl::string_view prefix, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(prefix, status.message()));
}

absl::Status InDirectory(const std::string& directory,
                         const absl::Status& status) {
  if (absl::StartsWith(status.message(), directory)) return status;
  return Prefixed(absl::StrCat(directory, "/"), status);
}

absl::StatusOr<HashedManifest> ReadManifest(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string json,
      ReadFile(absl::StrCat(directory, "/bundle.json"), kMaxManifestBytes));
  absl::StatusOr<Manifest> manifest = ParseManifest(json);
  if (!manifest.ok()) return InDirectory(directory, manifest.status());
  return HashedManifest{*std::move(manifest), Sha256Hex(json)};
}

void SayWhatBundleSays(const Manifest& manifest, CheckpointInfo& checkpoint) {
  checkpoint.version = manifest.version;
  if (checkpoint.validation.empty()) {
    checkpoint.validation = ValidationPromptsOf(manifest, checkpoint.concepts);
  }
  if (!manifest.evaluation.empty()) {
    checkpoint.evaluation_json = manifest.evaluation.dump();
  }
}

absl::StatusOr<LoadedTransformer> Assembly::LoadInType(
    const std::string& directory, const std::string& sha256, WeightType type) {
  if (!options_.keep_prepared || options_.cache_directory.empty() ||
      sha256.empty() || !options_.device.is_cpu()) {
    return LoadTransformer(directory, options_.device, type);
  }
  absl::StatusOr<PreparedPlace> place =
      PlaceOfPrepared(options_.cache_directory, directory, sha256, type);
  if (!place.ok()) {
    bundle_.warnings.push_back(
        absl::StrCat("prepared weights: made anew at every start: ",
                     place.status().message()));
    return LoadTransformer(directory, options_.device, type);
  }
  place->min_bytes = options_.min_prepared_bytes;
  ALIGNSAE_ASSIGN_OR_RETURN(LoadedTransformer loaded,
                            LoadTransformer(directory, options_.device, type,
                                            Keep::kPrepared, &*place));
  if (loaded.prepared.has_value()) {
    catalog_.model.prepared.push_back(*loaded.prepared);
  }
  return loaded;
}

absl::StatusOr<LoadedTransformer> Assembly::LoadChecked(
    const std::string& directory, const std::string& sha256) {
  ModelInfo& info = catalog_.model;
  const TypeCheck check = {directory, sha256, options_.cache_directory};
  info.weight_type_why = options_.weight_type_note;
  const auto say = [&info](absl::string_view sentence) {
    absl::StrAppend(&info.weight_type_why,
                    info.weight_type_why.empty() ? "" : "; ", sentence);
  };
  for (WeightType type = options_.weight_type;; type = SaferThan(type)) {
    ALIGNSAE_ASSIGN_OR_RETURN(LoadedTransformer loaded,
                              LoadInType(directory, sha256, type));
    // One token alone is always the most likely one.
    if (type == WeightType::kF32 || !options_.check_weight_type ||
        !options_.device.is_cpu() || loaded.model->facts().vocab_size < 2) {
      say(type == WeightType::kF32 ? "f32 is exact" : "as asked, not measured");
      return loaded;
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        const TypeMeasurement measured,
        MeasureType(*loaded.model, check, bundle_.warnings));
    info.type_measurements.push_back(measured);
    say(absl::StrCat(InWords(measured),
                     measured.misleads() ? ", which misleads" : ""));
    if (!measured.misleads()) return loaded;
  }
}

absl::Status Assembly::AddModel(const std::string& directory,
                                const std::string& name,
                                const std::string& sha256) {
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(directory);
  if (!tokenizer.ok()) return InDirectory(directory, tokenizer.status());
  absl::StatusOr<LoadedTransformer> loaded = LoadChecked(directory, sha256);
  if (!loaded.ok()) return InDirectory(directory, loaded.status());

  const TransformerFacts& facts = loaded->model->facts();
  ALIGNSAE_RETURN_IF_ERROR(CheckVocabulary(directory, *tokenizer, facts));
  ModelInfo& info = catalog_.model;
  info.name = name;
  info.sha256 = sha256;
  info.n_layer = facts.n_layer;
  info.n_head = facts.n_head;
  info.parallel_residual = facts.parallel_residual;
  info.d_model = facts.d_model;
  info.context_length = facts.context_length;
  info.vocab_size = facts.vocab_size;
  info.weight_type = std::string(WeightTypeName(loaded->model->weight_type()));
  ALIGNSAE_ASSIGN_OR_RETURN(const GenerationConfig generation,
                            ReadGenerationConfig(directory, facts.vocab_size));
  info.eos_token_ids = EndTokensOf(generation, *loaded, *tokenizer);
  for (const auto& warnings : {loaded->warnings, tokenizer->warnings()}) {
    for (const std::string& warning : warnings) {
      bundle_.warnings.push_back(absl::StrCat(directory, "/", warning));
    }
  }
  bundle_.warnings.insert(bundle_.warnings.end(), generation.warnings.begin(),
                          generation.warnings.end());
  bundle_.tokenizer = std::make_shared<const Tokenizer>(*std::move(tokenizer));
  bundle_.model = std::move(loaded->model);
  return absl::OkStatus();
}

absl::Status Assembly::AddCheckpoint(const std::string& directory,
                                     const std::string& name,
                                     const std::string& sha256,
                                     const ManifestSae* entry) {
  absl::StatusOr<Sae> sae = Sae::Load(
      directory,
      options_.whole_sae ? Sae::LoadMode::kWhole : Sae::LoadMode::kConceptsOnly,
      options_.device);
  if (!sae.ok()) return InDirectory(directory, sae.status());

  const SaeConfig& config = sae->config();
  ALIGNSAE_RETURN_IF_ERROR(
      CheckFits(directory, config, bundle_.model->facts()));
  ALIGNSAE_RETURN_IF_ERROR(CheckCertificates(directory, *sae));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckBos(directory, config, entry, catalog_, *bundle_.tokenizer));
  if (config.prepend_bos) {
    catalog_.model.bos_token_id = bundle_.tokenizer->eos_token_id();
  }
  if (options_.examine) {
    ALIGNSAE_RETURN_IF_ERROR(InDirectory(
        directory,
        ExamineCheckpoint(directory, {*bundle_.model, *bundle_.tokenizer, *sae},
                          bundle_.warnings)));
  }
  CheckpointInfo info;
  info.name = name;
  info.sha256 = sha256;
  info.hook = config.hook;
  info.activation = std::string(SaeActivationName(config.activation));
  info.scale = config.scale;
  info.trained = config.trained;
  info.n_features = config.n_features;
  info.whole_sae_loaded = sae->whole();
  info.has_gate = sae->gate().has_value();
  ALIGNSAE_ASSIGN_OR_RETURN(info.concepts, ConceptsOf(*sae));
  ALIGNSAE_ASSIGN_OR_RETURN(info.validation,
                            ReadValidationPrompts(directory, info.concepts));
  if (entry != nullptr) {
    ALIGNSAE_RETURN_IF_ERROR(Prefixed(absl::StrCat(directory, "/cfg.json: "),
                                      CheckSameAsManifest(config, *entry)));
    info.recommended_mode = entry->recommended_mode;
    info.recommended_alpha = entry->recommended_alpha;
  }
  catalog_.checkpoints.push_back(std::move(info));
  bundle_.saes.push_back(*std::move(sae));
  return absl::OkStatus();
}

std::shared_ptr<const Bundle> Assembly::Finish() {
  bundle_.catalog = std::make_shared<const Catalog>(std::move(catalog_));
  return std::make_shared<const Bundle>(std::move(bundle_));
}

void Assembly::MoveLastTo(int index) {
  std::swap(catalog_.checkpoints[index], catalog_.checkpoints.back());
  std::swap(bundle_.saes[index], bundle_.saes.back());
  Remove(static_cast<int>(bundle_.saes.size()) - 1);
}

void Assembly::Remove(int index) {
  catalog_.checkpoints.erase(catalog_.checkpoints.begin() + index);
  bundle_.saes.erase(bundle_.saes.begin() + index);
}

void Assembly::MoveToFront(int index) {
  const auto to_front = [index](auto& list) {
    std::rotate(list.begin(), list.begin() + index, list.begin() + index + 1);
  };
  to_front(catalog_.checkpoints);
  to_front(bundle_.saes);
}

}  // namespace alignsae
