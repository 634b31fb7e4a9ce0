// cfg.json as SAELens writes it, and names for the features of such an SAE.
// Free of LibTorch.
//
// Two layouts: that of SAELens 6 with a "metadata" object, and the flat one
// before it, with its defaults (what the public GPT-2 sets have). Taken are the
// architectures standard, topk and jumprelu (which is how batchtopk is saved)
// with what folds exactly into the weights (SaeFolding) and prepend_bos; what
// else would change a number is refused by name. Notes of a training run are
// not read.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "cfg.json: <key>: must be <rule>, got <value>", and
// "labels.jsonl line 3: ..." for labels.

#ifndef ALIGNSAE_MODEL_SAE_SAELENS_H_
#define ALIGNSAE_MODEL_SAE_SAELENS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/base/json_object.h"
#include "model/sae/config.h"
#include "model/steering/concept.h"
#include "model/steering/hook_point.h"

namespace alignsae {

// The file that gives features of such an SAE names, beside its cfg.json.
inline constexpr absl::string_view kLabelsFile = "labels.jsonl";

// "blocks.6.hook_resid_pre", as TransformerLens calls it, and back.
// INVALID_ARGUMENT 'cfg.json: <key>: ...' for any other name.
std::string HookName(const HookPoint& hook);
absl::StatusOr<HookPoint> ParseHookName(absl::string_view key,
                                        absl::string_view name);

// A cfg.json without an "alignsae" object. No concepts; scale 1.
absl::StatusOr<SaeConfig> ParseSaeLensConfig(const JsonObject& root);

// Lines {"feature": 3, "name": "", "description": "", "active_mean": 4.5,
// "threshold": 1.5}; blank lines are skipped, all but feature and name may be
// absent. A feature and a name occur once. Where nobody measured active_mean
// and threshold they are 0: such a feature has no unit for SWAP.
absl::StatusOr<std::vector<Concept>> ParseFeatureLabels(absl::string_view jsonl,
                                                        int features);
// The inverse.
std::string FeatureLabelsToJsonl(absl::Span<const Concept> concepts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_SAELENS_H_
