#include "model/bundle/bundle.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/file.h"
#include "model/base/hashed_file.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/bundle/files.h"
#include "model/bundle/generation_config.h"
#include "model/io/safetensors.h"
#include "model/io/weight_files.h"
#include "model/sae/written.h"
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

// The files of a bundle that decide what it answers, hashed before they are
// loaded. One object a load.
class VerifiedFiles {
 public:
  VerifiedFiles(std::string root, bool verify)
      : root_(std::move(root)), verify_(verify) {}

  // Every file that bundle.json lists has its hash, and no other lies where
  // the loaders look.
  absl::Status CheckListed(const Manifest& manifest) {
    if (!verify_) return absl::OkStatus();
    for (const auto& [path, sha256] : manifest.files) {
      ALIGNSAE_RETURN_IF_ERROR(Hash(absl::StrCat(root_, "/", path), sha256));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> present,
                              FilesThatDecide(root_, manifest));
    for (const std::string& path : present) {
      if (manifest.files.count(path) > 0) continue;
      return absl::DataLossError(absl::StrCat(
          root_, "/", path,
          ": must be listed in bundle.json's files, or not be there"));
    }
    return absl::OkStatus();
  }

  // The hash of a file that nothing lists; "" when files are not hashed.
  absl::StatusOr<std::string> HashOf(const std::string& path) {
    if (!verify_) return std::string();
    ALIGNSAE_RETURN_IF_ERROR(Hash(path, ""));
    return files_.back().sha256();
  }

  // Nobody wrote to them while they were read.
  absl::Status CheckUnchanged() const {
    for (const HashedFile& file : files_) {
      ALIGNSAE_RETURN_IF_ERROR(file.CheckUnchanged());
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Hash(const std::string& path, const std::string& expected) {
    ALIGNSAE_RETURN_IF_ERROR(CheckSize(path));
    ALIGNSAE_ASSIGN_OR_RETURN(HashedFile file, HashedFile::Of(path));
    if (!expected.empty() && file.sha256() != expected) {
      return absl::DataLossError(
          absl::StrCat(path, ": sha256: must be ", expected,
                       " as in bundle.json, got ", file.sha256()));
    }
    files_.push_back(std::move(file));
    return absl::OkStatus();
  }

  std::string root_;
  bool verify_;
  std::vector<HashedFile> files_;
};

// Of model.safetensors; of weights in shards, the hash of the lines that
// sha256sum prints for the index and the shards in the order of their names.
absl::StatusOr<std::string> HashOfWeights(const std::string& directory,
                                          VerifiedFiles& files) {
  ALIGNSAE_RETURN_IF_ERROR(CheckWeights(directory));
  const std::string whole = absl::StrCat(directory, "/", kWholeWeights);
  if (FileExists(whole)) return files.HashOf(whole);
  // Hashed before it is read, so that CheckUnchanged covers what it names.
  ALIGNSAE_ASSIGN_OR_RETURN(
      std::string hash,
      files.HashOf(absl::StrCat(directory, "/", kWeightsIndex)));
  std::string lines = absl::StrCat(hash, "  ", kWeightsIndex, "\n");
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> shards,
                            ShardNames(directory));
  for (const std::string& shard : shards) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        hash, files.HashOf(absl::StrCat(directory, "/", shard)));
    absl::StrAppend(&lines, hash, "  ", shard, "\n");
  }
  return hash.empty() ? hash : Sha256Hex(lines);
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

// Gathers the parts. Fill it in this order: model, then checkpoints.
class Assembly {
 public:
  explicit Assembly(const BundleOptions& options) : options_(options) {}

  // `sha256`: of model.safetensors.
  absl::Status AddModel(const std::string& directory, const std::string& name,
                        const std::string& sha256);
  // `sha256`: of sae_weights.safetensors. `entry`: bundle.json's, or null.
  absl::Status AddCheckpoint(const std::string& directory,
                             const std::string& name, const std::string& sha256,
                             const ManifestSae* entry);
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
  absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(directory);
  if (!tokenizer.ok()) return InDirectory(directory, tokenizer.status());
  absl::StatusOr<LoadedTransformer> loaded =
      LoadTransformer(directory, options_.device, options_.weight_type);
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
  CheckpointInfo info;
  info.name = name;
  info.sha256 = sha256;
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

  VerifiedFiles files(directory, options.verify_hashes);
  // Before the hashes: it says in which other form the weights lie.
  ALIGNSAE_RETURN_IF_ERROR(
      CheckWholeWeights(absl::StrCat(directory, "/", manifest->model_path)));
  ALIGNSAE_RETURN_IF_ERROR(files.CheckListed(*manifest));
  Assembly assembly(options);
  ALIGNSAE_RETURN_IF_ERROR(
      assembly.AddModel(absl::StrCat(directory, "/", manifest->model_path),
                        manifest->name, manifest->model_sha256));
  for (const ManifestSae& entry : manifest->saes) {
    ALIGNSAE_RETURN_IF_ERROR(
        assembly.AddCheckpoint(absl::StrCat(directory, "/", entry.path),
                               entry.name, entry.sha256, &entry));
  }
  ALIGNSAE_RETURN_IF_ERROR(files.CheckUnchanged());
  Catalog& catalog = assembly.catalog();
  catalog.model.bundle_sha256 = Sha256Hex(json);
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
  VerifiedFiles files("", options.verify_hashes);
  Assembly assembly(options);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string model_sha256,
                            HashOfWeights(model_directory, files));
  ALIGNSAE_RETURN_IF_ERROR(assembly.AddModel(
      model_directory, LastPart(model_directory), model_sha256));
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
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string sha256,
        files.HashOf(absl::StrCat(directory, "/sae_weights.safetensors")));
    ALIGNSAE_RETURN_IF_ERROR(
        assembly.AddCheckpoint(directory, name, sha256, /*entry=*/nullptr));
  }
  ALIGNSAE_RETURN_IF_ERROR(files.CheckUnchanged());
  return assembly.Finish();
}

}  // namespace alignsae
