// The added tokens of a Hugging Face directory, gathered from the files that
// speak of them: added_tokens.json or tokenizer.json (by their readers),
// tokenizer_config.json and special_tokens_map.json.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT that names the file, the entry and the rule.

#ifndef ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKEN_SOURCES_H_
#define ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKEN_SOURCES_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/vocabulary.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// What tokenizer_config.json and special_tokens_map.json say.
struct TokenizerConfig {
  // Tokens that have a part (eos_token, pad_token, ...): by content, with the
  // "<file>: <key>" that names them first. Their ids are not known here.
  struct Named {
    std::string field;
    AddedToken token;
  };
  std::map<std::string, Named> named;
  // added_tokens_decoder, by id.
  std::vector<AddedToken> decoder;
  // There is a tokenizer_config.json, and it has no added_tokens_decoder.
  bool lacks_decoder = false;
};

// An object with `content` and any of the switches of AddedToken, and with
// `id` where `with_id`. Without `normalized`, special tokens are not.
absl::StatusOr<AddedToken> ParseAddedToken(const std::string& field,
                                           const nlohmann::json& entry,
                                           bool with_id);

// Contents of the two files; either may be empty: there is no such file.
// Refuses what changes the encoding of a text and is not done here.
absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(
    absl::string_view tokenizer_config, absl::string_view special_tokens_map);

// Completes `added`, the tokens of the vocabulary's own files, by those of
// `config`: tokens of the decoder, and tokens that have a part and are in
// `vocab`. Refuses where they contradict each other, and a token with a part
// that nobody gives an id.
absl::Status AddTokensOfConfig(const TokenizerConfig& config,
                               const nlohmann::json& vocab,
                               std::vector<AddedToken>& added);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKEN_SOURCES_H_
