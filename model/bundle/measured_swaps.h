// Swaps of a bundle's evaluation and of its write certificates, which say the
// same. Free of LibTorch.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "bundle.json: <field>: must be <value>, got
// <value>".

#ifndef ALIGNSAE_MODEL_BUNDLE_MEASURED_SWAPS_H_
#define ALIGNSAE_MODEL_BUNDLE_MEASURED_SWAPS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "model/bundle/manifest.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct SwapCount {
  int64_t n = 0;  // Above 0.
  int64_t successes = 0;
};

// By name of the concept that was swapped to. Of an evaluation on people
// (train/eval/eval.h; whole answers on test wordings) or on labelled prompts
// (train/eval/prompt_eval.h). What is not of their form is left out.
std::map<std::string, SwapCount> SwapsOfEvaluation(
    const nlohmann::json& evaluation);

// Index of the checkpoint that the evaluation is of.
size_t EvaluatedCheckpoint(const nlohmann::json& evaluation);

// Whether the certificates of that checkpoint count as the evaluation does,
// where both speak.
absl::Status CheckMeasuredSwaps(const Manifest& manifest);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_MEASURED_SWAPS_H_
