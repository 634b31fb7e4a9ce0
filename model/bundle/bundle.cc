#include "model/bundle/bundle.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/hashed_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/bundle/generation_config.h"
#include "model/io/weights_file.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxManifestBytes = int64_t{16} << 20;

absl::Status Prefixed(absl::string_view prefix, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(prefix, status.message()));
}

// Some parts name only their file ("config.json: ..."): say where it lies.
absl::Status InDirectory(const std::string& directory,
                         const absl::Status& status) {
  if (absl::StartsWith(status.message(), directory)) return status;
  return Prefixed(absl::StrCat(directory, "/"), status);
}

// "main" of "sae/main" and of "sae/main/", and the directory's own name of ".".
std::string LastPart(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;  // Then `path` is empty, and so is the name.
  fs::path path = fs::absolute(directory, error).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  return path.filename().string();
}

// Hashes the weights at `path` when asked to. `expected`: bundle.json's hash;
// empty: there is none to compare with.
absl::StatusOr<std::optional<HashedFile>> VerifyHash(
    const std::string& path, const std::string& expected,
    const BundleOptions& options) {
  if (!options.verify_hashes) return std::nullopt;
  ALIGNSAE_ASSIGN_OR_RETURN(HashedFile file, HashedFile::Of(path));
  if (!expected.empty() && file.sha256() != expected) {
    return absl::DataLossError(
        absl::StrCat(path, ": sha256: must be ", expected,
                     " as in bundle.json, got ", file.sha256()));
  }
  return std::make_optional(std::move(file));
}

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
  if (sae.hook.layer >= model.n_layer) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, "/cfg.json: hook layer: must be in [0, ",
                     model.n_layer - 1, "], got ", sae.hook.layer,
                     "; the model has ", model.n_layer, " blocks"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ConceptInfo>> ConceptsOf(const Sae& sae) {
  // ||d_j|| of every concept, [R].
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor norms, WithTorchFence([&sae] {
                              return sae.concept_decoder()
                                  .norm(2, /*dim=*/1)
                                  .to(at::kCPU, at::kDouble)
                                  .contiguous();
                            }));
  std::vector<ConceptInfo> concepts;
  for (const SaeConcept& entry : sae.config().concepts) {
    concepts.push_back(
        {.name = entry.name,
         .slot = entry.slot,
         .description = entry.description,
         .example = entry.example,
         .active_mean = entry.active_mean,
         .threshold = entry.threshold,
         .decoder_norm = norms.data_ptr<double>()[concepts.size()]});
  }
  return concepts;
}

// Gathers the parts. Fill it in this order: model, then checkpoints.
class Assembly {
 public:
  explicit Assembly(const BundleOptions& options) : options_(options) {}

  // `sha256`: bundle.json's, or empty.
  absl::Status AddModel(const std::string& directory, const std::string& name,
                        const std::string& sha256);
  // `entry`: bundle.json's, or null.
  absl::Status AddCheckpoint(const std::string& directory,
                             const std::string& name, const ManifestSae* entry);
  Catalog& catalog() { return catalog_; }
  std::shared_ptr<const Bundle> Finish();

 private:
  const BundleOptions& options_;
  Bundle bundle_;
  Catalog catalog_;
};

absl::Status Assembly::AddModel(const std::string& directory,
                                const std::string& name,
                                const std::string& sha256) {
  // Before hashing: without that file there is nothing to hash.
  ALIGNSAE_RETURN_IF_ERROR(CheckWeightsFile(directory));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::optional<HashedFile> weights,
      VerifyHash(absl::StrCat(directory, "/model.safetensors"), sha256,
                 options_));
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(directory);
  if (!tokenizer.ok()) return InDirectory(directory, tokenizer.status());
  absl::StatusOr<LoadedTransformer> loaded =
      LoadTransformer(directory, options_.device, options_.weight_type);
  if (!loaded.ok()) return InDirectory(directory, loaded.status());
  if (weights) ALIGNSAE_RETURN_IF_ERROR(weights->CheckUnchanged());

  const TransformerFacts& facts = loaded->model->facts();
  ALIGNSAE_RETURN_IF_ERROR(CheckVocabulary(directory, *tokenizer, facts));
  ModelInfo& info = catalog_.model;
  info.name = name;
  info.sha256 = weights ? weights->sha256() : sha256;
  info.n_layer = facts.n_layer;
  info.n_head = facts.n_head;
  info.d_model = facts.d_model;
  info.context_length = facts.context_length;
  info.vocab_size = facts.vocab_size;
  info.weight_type = std::string(WeightTypeName(loaded->model->weight_type()));
  ALIGNSAE_ASSIGN_OR_RETURN(const GenerationConfig generation,
                            ReadGenerationConfig(directory, facts.vocab_size));
  info.eos_token_ids = EndTokensOf(generation, *loaded, *tokenizer);
  for (const std::string& warning : loaded->warnings) {
    bundle_.warnings.push_back(absl::StrCat(directory, "/", warning));
  }
  bundle_.warnings.insert(bundle_.warnings.end(), generation.warnings.begin(),
                          generation.warnings.end());
  bundle_.tokenizer = std::make_shared<const Tokenizer>(*std::move(tokenizer));
  bundle_.model = std::move(loaded->model);
  return absl::OkStatus();
}

absl::Status Assembly::AddCheckpoint(const std::string& directory,
                                     const std::string& name,
                                     const ManifestSae* entry) {
  const std::string expected = entry == nullptr ? "" : entry->sha256;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::optional<HashedFile> weights,
      VerifyHash(absl::StrCat(directory, "/sae_weights.safetensors"), expected,
                 options_));
  absl::StatusOr<Sae> sae = Sae::Load(
      directory,
      options_.whole_sae ? Sae::LoadMode::kWhole : Sae::LoadMode::kConceptsOnly,
      options_.device);
  if (!sae.ok()) return InDirectory(directory, sae.status());
  if (weights) ALIGNSAE_RETURN_IF_ERROR(weights->CheckUnchanged());

  const SaeConfig& config = sae->config();
  ALIGNSAE_RETURN_IF_ERROR(
      CheckFits(directory, config, bundle_.model->facts()));
  CheckpointInfo info;
  info.name = name;
  info.sha256 = weights ? weights->sha256() : expected;
  info.hook = config.hook;
  info.activation = std::string(SaeActivationName(config.activation));
  info.scale = config.scale;
  info.n_features = config.n_features;
  info.whole_sae_loaded = sae->whole();
  ALIGNSAE_ASSIGN_OR_RETURN(info.concepts, ConceptsOf(*sae));
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

}  // namespace

absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(
    const std::string& directory, const BundleOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string json,
      ReadFile(absl::StrCat(directory, "/bundle.json"), kMaxManifestBytes));
  absl::StatusOr<Manifest> manifest = ParseManifest(json);
  if (!manifest.ok()) return InDirectory(directory, manifest.status());

  Assembly assembly(options);
  ALIGNSAE_RETURN_IF_ERROR(
      assembly.AddModel(absl::StrCat(directory, "/", manifest->model_path),
                        manifest->name, manifest->model_sha256));
  for (const ManifestSae& entry : manifest->saes) {
    ALIGNSAE_RETURN_IF_ERROR(assembly.AddCheckpoint(
        absl::StrCat(directory, "/", entry.path), entry.name, &entry));
  }
  Catalog& catalog = assembly.catalog();
  catalog.bundle_name = manifest->name;
  catalog.model.version = manifest->version;
  catalog.model.prompt_template = manifest->prompt_template;
  if (!manifest->evaluation.empty()) {
    for (CheckpointInfo& checkpoint : catalog.checkpoints) {
      checkpoint.evaluation_json = manifest->evaluation.dump();
    }
  }
  return assembly.Finish();
}

absl::StatusOr<std::shared_ptr<const Bundle>> LoadParts(
    const std::string& model_directory,
    const std::vector<std::string>& sae_directories,
    const BundleOptions& options) {
  Assembly assembly(options);
  ALIGNSAE_RETURN_IF_ERROR(
      assembly.AddModel(model_directory, LastPart(model_directory), ""));
  absl::flat_hash_set<std::string> names;
  for (const std::string& directory : sae_directories) {
    const std::string name = LastPart(directory);
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(directory,
                       ": must have another name than the checkpoints before "
                       "it, got ",
                       Quoted(name), " again"));
    }
    ALIGNSAE_RETURN_IF_ERROR(
        assembly.AddCheckpoint(directory, name, /*entry=*/nullptr));
  }
  return assembly.Finish();
}

}  // namespace alignsae
