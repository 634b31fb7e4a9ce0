// What Hugging Face's generation_config.json says about the end of an answer.
//
// Only eos_token_id is taken. How tokens are drawn (temperature, top_k, ...) is
// each request's business; a setting that would change answers and that no
// request can ask for is warned about.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "<path>: <key>: must be <rule>, got <value>"; others
// as of model/base/file.h.

#ifndef ALIGNSAE_MODEL_BUNDLE_GENERATION_CONFIG_H_
#define ALIGNSAE_MODEL_BUNDLE_GENERATION_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/transformer/end_tokens.h"

namespace alignsae {

struct GenerationConfig {
  EndTokens end_tokens;
  std::vector<std::string> warnings;
};

// Of <directory>/generation_config.json; empty where there is no such file.
absl::StatusOr<GenerationConfig> ReadGenerationConfig(
    const std::string& directory, int vocab_size);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_GENERATION_CONFIG_H_
