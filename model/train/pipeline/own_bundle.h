// A bundle of a model and checkpoints that are there, with labelled prompts
// beside them where somebody has some.
//
// Thread-safety: as WriteBundleAtomically.
// Errors: INVALID_ARGUMENT "<field>: must be <rule>, got <value>"; those of
// EvaluatePrompts and, as the new bundle is loaded before it takes the place of
// an old one, of LoadBundle.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_OWN_BUNDLE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_OWN_BUNDLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace alignsae {

struct OwnBundle {
  std::string model_directory;               // Hugging Face layout.
  std::vector<std::string> sae_directories;  // Named after their directories.
  // Labelled prompts of the first checkpoint's concepts, or empty: its figures
  // on the test split become the bundle's evaluation, the test prompts its
  // stored prompts, and its concepts get write certificates.
  std::string prompts;
  std::string name;  // Empty: the output directory's.
  std::string version = "1.0";
  std::string prompt_template;  // With {question}, or empty.
  double alpha = 1;             // Recommended, with SWAP.
  uint64_t split_seed = 1;      // Of prompts that have no split.
  std::string command;          // For the provenance.
  std::string commit;
};

// Copies what is served (JSON, safetensors and merges), writes bundle.json with
// the hash of each file, and loads it all.
absl::Status WriteOwnBundle(const std::string& directory,
                            const OwnBundle& parts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_OWN_BUNDLE_H_
