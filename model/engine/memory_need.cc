// MemoryToLoad: what a load will take, before it takes it.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/assembly.h"
#include "model/bundle/bundle.h"
#include "model/bundle/families.h"
#include "model/engine/engine.h"
#include "model/io/safetensors.h"
#include "model/io/weight_files.h"
#include "model/kernels/kernels.h"
#include "model/transformer/facts.h"
#include "model/transformer/weight_type.h"

namespace alignsae {
namespace {

// Of a checkpoint of which the concepts alone are read: a few rows.
constexpr int64_t kConceptsOnly = int64_t{1} << 20;
constexpr int64_t kFloat = 4;

int64_t BytesOf(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return 4;
    case WeightType::kBf16:
      return 2;
    case WeightType::kInt8:
      return 1;
  }
  return 4;
}

int64_t NumbersIn(const SafetensorsFile& file) {
  int64_t numbers = 0;
  for (const auto& [name, entry] : file.header().tensors) {
    numbers +=
        static_cast<int64_t>(entry.end - entry.begin) / DTypeBytes(entry.dtype);
  }
  return numbers;
}

int64_t LargestTensor(const SafetensorsFile& file) {
  int64_t largest = 0;
  for (const auto& [name, entry] : file.header().tensors) {
    largest = std::max<int64_t>(
        largest, (entry.end - entry.begin) / DTypeBytes(entry.dtype));
  }
  return largest;
}

// Each sequence fills its last block of positions; beside the CPU the system
// gives no pages by need (KvCache), so that all slots are taken at once.
absl::StatusOr<int64_t> CacheBytes(const TransformerFacts& facts,
                                   WeightType type, const EngineSetup& setup) {
  const int64_t slots = setup.engine.kv_slots;
  const int64_t all = slots * PaddedPositions(facts.context_length);
  ALIGNSAE_ASSIGN_OR_RETURN(int64_t tokens,
                            KvTokensOf(setup.engine, facts.context_length));
  tokens =
      setup.device == "cpu" ? std::min(all, tokens + slots * kKeyBlock) : all;
  const int64_t number = type == WeightType::kF32 ? kFloat : 2;
  return 2 * number * facts.n_layer * tokens * facts.n_head *
         PaddedHeadDim(facts.head_dim());
}

absl::StatusOr<int64_t> CheckpointBytes(const std::string& directory,
                                        bool whole) {
  ALIGNSAE_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(absl::StrCat(
                                directory, "/sae_weights.safetensors")));
  // Twice: as read, and as they are kept.
  return whole ? 2 * kFloat * NumbersIn(file) : kConceptsOnly;
}

absl::Status AddModel(const std::string& directory, const EngineSetup& setup,
                      WeightType type, MemoryNeed& need) {
  ALIGNSAE_ASSIGN_OR_RETURN(const WeightFiles weights,
                            WeightFiles::Open(directory));
  absl::StatusOr<TransformerFacts> facts = ReadFacts(directory);
  if (!facts.ok()) return InDirectory(directory, facts.status());
  int64_t numbers = 0;
  int64_t largest = 0;
  for (const SafetensorsFile& file : weights.files()) {
    numbers += NumbersIn(file);
    largest = std::max(largest, LargestTensor(file));
  }
  // The embeddings stay in float32 beside the matrix of the head.
  need.weights = BytesOf(type) * numbers +
                 kFloat * facts->d_model *
                     (int64_t{facts->vocab_size} + facts->context_length);
  // A head, or a block; they are read one after the other.
  need.reading = kFloat * std::max(largest, numbers / facts->n_layer);
  ALIGNSAE_ASSIGN_OR_RETURN(need.cache, CacheBytes(*facts, type, setup));
  return absl::OkStatus();
}

absl::Status AddDirectories(const EngineSetup& setup, WeightType type,
                            MemoryNeed& need) {
  const std::string& root = setup.model_directory;
  std::vector<std::string> saes = setup.sae_directories;
  std::string model = root;
  const bool is_bundle = IsBundle(root);
  if (is_bundle) {
    ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read, ReadManifest(root));
    model = absl::StrCat(root, "/", read.manifest.model_path);
    for (const ManifestSae& entry : read.manifest.saes) {
      saes.push_back(absl::StrCat(root, "/", entry.path));
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(AddModel(model, setup, type, need));
  for (const std::string& sae : saes) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const int64_t bytes,
        CheckpointBytes(sae, setup.whole_sae || !is_bundle));
    need.checkpoints += bytes;
  }
  return absl::OkStatus();
}

absl::Status AddPut(const EngineSetup& setup, const CheckpointSource& source,
                    MemoryNeed& need) {
  std::string directory = source.directory;
  const bool is_bundle = IsBundle(directory);
  if (is_bundle) {
    ALIGNSAE_ASSIGN_OR_RETURN(const HashedManifest read,
                              ReadManifest(directory));
    // A name that is not there is refused by who reads it.
    for (const ManifestSae& entry : read.manifest.saes) {
      if (!source.sae.empty() && entry.name != source.sae) continue;
      directory = absl::StrCat(source.directory, "/", entry.path);
    }
    if (directory == source.directory) return absl::OkStatus();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int64_t bytes,
      CheckpointBytes(directory, setup.whole_sae || !is_bundle));
  need.checkpoints += bytes;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> KvTokensOf(const EngineOptions& options,
                                   int context_length) {
  const int64_t context = context_length;
  const int64_t all = options.kv_slots * context;
  if (options.kv_tokens == 0) {
    return options.kv_contexts == 0
               ? all
               : std::min(all, options.kv_contexts * context);
  }
  if (options.kv_tokens < context) {
    return FieldStatus({"kv_tokens",
                        absl::StrCat("be at least the model's context of ",
                                     context, " tokens"),
                        absl::StrCat(options.kv_tokens)},
                       absl::StatusCode::kFailedPrecondition);
  }
  return std::min(all, options.kv_tokens);
}

absl::StatusOr<MemoryNeed> MemoryToLoad(const EngineSetup& setup) {
  ALIGNSAE_ASSIGN_OR_RETURN(WeightType type,
                            ParseWeightType(setup.weight_type));
  if (!WhyUnsupported(type, setup.device).empty()) type = WeightType::kF32;
  MemoryNeed need;
  if (setup.base != nullptr) {
    const Transformer& model = *setup.base->model;
    ALIGNSAE_ASSIGN_OR_RETURN(
        need.cache, CacheBytes(model.facts(), model.weight_type(), setup));
  } else {
    ALIGNSAE_RETURN_IF_ERROR(AddDirectories(setup, type, need));
  }
  for (const CheckpointSource& source : setup.put) {
    ALIGNSAE_RETURN_IF_ERROR(AddPut(setup, source, need));
  }
  return need;
}

}  // namespace alignsae
