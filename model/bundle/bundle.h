// Bundle: a model, its tokenizer and its AlignSAE checkpoints, loaded as one
// unit.
//
// Thread-safety: const after load.
// Errors: each names the file. DATA_LOSS for a hash that differs or a corrupt
// file; FAILED_PRECONDITION when a checkpoint does not fit the model (d_model,
// layer) or cfg.json and bundle.json differ.

#ifndef ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_
#define ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/base/catalog.h"
#include "model/bundle/manifest.h"
#include "model/gpt2/gpt2.h"
#include "model/sae/sae.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

struct Bundle {
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<const Gpt2> model;
  std::vector<Sae> saes;  // In the order of catalog->checkpoints.
};

struct BundleOptions {
  bool whole_sae = false;
  bool verify_hashes = true;
  at::Device device = at::kCPU;
};

// A directory with bundle.json.
absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(
    const std::string& directory, const BundleOptions& options);

// A plain HF GPT-2 directory and SAE directories (none is fine: generation and
// tokenizing only). A checkpoint is named after its directory.
absl::StatusOr<std::shared_ptr<const Bundle>> LoadParts(
    const std::string& model_directory,
    const std::vector<std::string>& sae_directories,
    const BundleOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_BUNDLE_H_
