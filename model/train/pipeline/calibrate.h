// Concepts for an SAE that somebody else trained without any: of each concept
// of labelled prompts, the feature that tells it best from the others, with
// what SWAP and readouts need (active_mean, threshold).
//
// Chosen on the training split, thresholds and their quality on the validation
// split. The test split stays unseen: `eval --prompts` measures on it.
//
// Thread-safety: one call per output directory at a time.
// Errors: INVALID_ARGUMENT "<field>: must be <rule>, got <value>";
// FAILED_PRECONDITION for a checkpoint that has concepts of its own training,
// and names the concepts that no feature tells from the others; those of the
// loaders.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_CALIBRATE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_CALIBRATE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/steering/concept.h"

namespace alignsae {

struct Calibration {
  std::string model_directory;  // Hugging Face layout.
  std::string sae_directory;    // As SAELens saved it.
  std::string prompts;          // Labelled prompts (JSONL).
  uint64_t split_seed = 1;      // Of prompts that have no split.
  // Gets the files of the SAE and labels.jsonl with the calibration.
  std::string out;
};

struct CalibratedFeature {
  Concept entry;          // name, slot, active_mean and threshold.
  double separation = 0;  // train/sae/separation.h, on training prompts.
  double youden = 0;      // On validation prompts, at the threshold: share of
                          // own ones at it or above less share of others.
};

// In the order of the file's concepts.
absl::StatusOr<std::vector<CalibratedFeature>> Calibrate(
    const Calibration& calibration);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_CALIBRATE_H_
