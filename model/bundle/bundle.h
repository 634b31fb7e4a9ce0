// Bundle: a model, its tokenizer and its AlignSAE checkpoints, loaded as one
// unit.
//
// Thread-safety: const after load.
// Errors: each names the file. DATA_LOSS for a hash that differs or a corrupt
// file; FAILED_PRECONDITION when a checkpoint or the tokenizer does not fit the
// model (d_model, layer, vocabulary) or cfg.json and bundle.json differ; all
// others as the loaders of the parts.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(std::shared_ptr<const Bundle> bundle,
//                             LoadBundle("model/demo", {}));
//   bundle->catalog->model.context_length;

#ifndef ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_
#define ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bundle/manifest.h"
#include "model/bundle/prepared_place.h"
#include "model/sae/sae.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "model/transformer/transformer.h"

namespace alignsae {

struct Bundle {
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  // Shared: several bundles may stand on one model.
  std::shared_ptr<const Transformer> model;
  std::vector<Sae> saes;  // In the order of catalog->checkpoints.
  // What was found odd and taken all the same, one sentence each.
  std::vector<std::string> warnings;
};

struct BundleOptions {
  bool whole_sae = false;
  // Hash every file that bundle.json lists and compare, and refuse files that
  // it does not list. Off: the catalog repeats bundle.json's hashes, or has
  // none for parts.
  bool verify_hashes = true;
  // Run each checkpoint's stored prompts and compare (doctor.h).
  bool examine = true;
  at::Device device = at::kCPU;
  WeightType weight_type = WeightType::kF32;  // Of the language model.
  // Measure it against float32 and take a safer one where it misleads
  // (type_check.h); on the CPU only.
  bool check_weight_type = false;
  // Where the figures are kept; empty: nowhere.
  std::string cache_directory = {};
  // Keep the prepared weights there too (prepared_place.h), and the hashes of
  // large files (model/base/hashed_file.h); on the CPU only.
  bool keep_prepared = false;
  int64_t min_prepared_bytes = kMinPreparedBytes;
  // In front of why the type is taken.
  std::string weight_type_note = {};
};

// Whether it has a bundle.json.
bool IsBundle(const std::string& directory);

// A directory with bundle.json.
absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(
    const std::string& directory, const BundleOptions& options);

// A plain HF GPT-2 directory and SAE directories (none is fine: generation and
// tokenizing only). The model and each checkpoint are named after their
// directories; two of one name are INVALID_ARGUMENT.
absl::StatusOr<std::shared_ptr<const Bundle>> LoadParts(
    const std::string& model_directory,
    const std::vector<std::string>& sae_directories,
    const BundleOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_
