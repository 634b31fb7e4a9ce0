// EndTokens: the ids that end an answer, as config.json and
// generation_config.json name them. Free of LibTorch.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "<key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRANSFORMER_END_TOKENS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_END_TOKENS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct EndTokens {
  std::vector<int32_t> ids;  // Distinct, in the file's order; may be empty.
  // Named, but outside of the vocabulary: no step can generate them. Hugging
  // Face's default of 50256 stands in the file of many a smaller model.
  std::vector<int32_t> unreachable;

  // `id` alone; none when it is negative.
  static EndTokens Only(int32_t id);

  friend bool operator==(const EndTokens&, const EndTokens&) = default;
};

// `value` is an id, a list of ids or null. `key` is for messages: "config.json:
// eos_token_id".
absl::StatusOr<EndTokens> ParseEndTokens(const nlohmann::json& value,
                                         absl::string_view key, int vocab_size);

// The inverse: null, a number or an array.
nlohmann::json EndTokensToJson(const EndTokens& tokens);

// One sentence for each id that cannot be reached.
std::vector<std::string> UnreachableWarnings(const EndTokens& tokens,
                                             absl::string_view key,
                                             int vocab_size);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_END_TOKENS_H_
