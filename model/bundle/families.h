// The one place that knows which families of language models there are: a
// directory in Hugging Face's layout -> a Transformer.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT for a model_type that is none of ours; all others as
// the family's own loader.

#ifndef ALIGNSAE_MODEL_BUNDLE_FAMILIES_H_
#define ALIGNSAE_MODEL_BUNDLE_FAMILIES_H_

#include <ATen/ATen.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/bundle/prepared_place.h"
#include "model/steering/prepared_weights.h"
#include "model/transformer/end_tokens.h"
#include "model/transformer/transformer.h"

namespace alignsae {

struct LoadedTransformer {
  std::unique_ptr<const Transformer> model;
  EndTokens end_tokens;               // Those that config.json names.
  std::vector<std::string> warnings;  // For the log, one sentence each.
  // What became of those in the place; nullopt: none was given, or the model is
  // too small for it.
  std::optional<PreparedWeights> prepared = std::nullopt;
};

// What config.json says, without the weights.
absl::StatusOr<TransformerFacts> ReadFacts(const std::string& directory);

// `place`, where it is not null: prepared weights are taken from there, or put
// there when they are made. For the CPU and Keep::kPrepared.
absl::StatusOr<LoadedTransformer> LoadTransformer(
    const std::string& directory, at::Device device, WeightType type,
    Keep keep = Keep::kPrepared, const PreparedPlace* place = nullptr);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_FAMILIES_H_
