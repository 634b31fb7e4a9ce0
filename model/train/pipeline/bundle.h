// The last stage of the pipeline: the parts become a bundle.
//
// Thread-safety: as WriteBundleAtomically.
// Errors: those of the writer and, as the new bundle is loaded before it takes
// the place of an old one, of LoadBundle.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_BUNDLE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_BUNDLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/bundle/manifest.h"
#include "model/train/data/eval_set.h"
#include "model/train/eval/certificate.h"
#include "model/train/eval/options.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct BundleParts {
  std::string model_directory;  // Hugging Face layout.
  std::string sae_directory;    // Becomes sae/main.
  const EvalSet* eval_set = nullptr;
  std::vector<std::string> examples;  // One a concept; eval/examples.h.
  Certified certified;                // eval/certificate.h.
  // name, version, evaluation and provenance; the rest is filled in. Its
  // "chosen" becomes the recommended mode and alpha.
  Manifest manifest;
};

inline constexpr char kBundleSaeName[] = "main";

// Puts class means, the gate where there is one, and the prompts to validate
// with into a checkpoint's directory, and certificates into `concepts`, which
// are its own.
absl::Status PutCertificates(const std::string& directory,
                             const Certified& certified,
                             std::vector<Concept>& concepts);

// evaluation["gate"][checkpoint]: the figures of its gate, where it has one.
void PutGateFigures(const Certified& certified, const std::string& checkpoint,
                    nlohmann::json& evaluation);

// Beside a bundle's people: prompts that ask none of its concepts.
inline constexpr char kNegativesFile[] = "eval/negatives.jsonl";

// Measures the write certificates of a bundle's checkpoints anew, on its own
// people, or of its first checkpoint on the labelled prompts at `prompts` (with
// `split_seed`) where that is not empty, and writes the bundle with them.
// Checkpoints get a gate of the labelled prompts without a concept, or of the
// file `negatives`, which becomes kNegativesFile, or of the one that is there.
// Nothing else changes. FAILED_PRECONDITION where there is nothing to measure
// on, and for a checkpoint of SAELens, whose cfg.json has no room.
struct CertifySources {
  std::string prompts;
  uint64_t split_seed = 1;
  std::string negatives;
};
absl::Status CertifyBundle(const std::string& directory,
                           const CertifySources& sources);

// Chooses the examples of every checkpoint anew from the bundle's own people
// and its model, and writes the bundle with them. Nothing else changes.
absl::Status RefreshExamples(const std::string& directory,
                             const EvalOptions& options);

absl::Status WritePipelineBundle(const std::string& directory,
                                 const BundleParts& parts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_BUNDLE_H_
