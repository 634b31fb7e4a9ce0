// Writes a checkpoint so that SAELens loads it and computes the same features.
//
// The scale is folded into the weights: W_enc / s, s W_dec, s b_dec. Concept
// slots of jumprelu, which are always kept, get the threshold 0. The names of
// the concepts go to labels.jsonl, with their calibration.
//
// Thread-safety: free function.
// Errors: FAILED_PRECONDITION for what SAELens has no architecture for (an SAE
// without an activation, topk with concept slots that are always kept);
// INVALID_ARGUMENT when the SAE is not whole; as SaveSae for writing.

#ifndef ALIGNSAE_MODEL_SAE_SAELENS_EXPORT_H_
#define ALIGNSAE_MODEL_SAE_SAELENS_EXPORT_H_

#include <string>

#include "absl/status/status.h"
#include "model/sae/sae.h"

namespace alignsae {

// Into `directory`, made if absent: cfg.json, sae_weights.safetensors (float32)
// and, with concepts, labels.jsonl.
absl::Status ExportToSaeLens(const Sae& sae, const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_SAELENS_EXPORT_H_
