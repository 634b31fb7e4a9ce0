// Reads a vocabulary from a Hugging Face directory.
//
// Thread-safety: free functions.
// Errors: as of model/base/file.h for reading; INVALID_ARGUMENT names the file,
// the entry and the rule.

#ifndef ALIGNSAE_MODEL_TOKENIZER_LOAD_H_
#define ALIGNSAE_MODEL_TOKENIZER_LOAD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/added_token_sources.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

// tokenizer.json if there is one, else vocab.json, merges.txt and, where there
// is one, added_tokens.json. Where both are there they must say the same.
// tokenizer_config.json and special_tokens_map.json may add tokens and say
// which are special; options of the first that change the encoding are refused.
absl::StatusOr<Vocabulary> LoadVocabulary(const std::string& directory);

// The vocabulary of tokenizer.json, given its contents. Whatever in it would
// encode in another way than GPT-2's is refused by name.
absl::StatusOr<Vocabulary> ParseTokenizerJson(
    absl::string_view text, const TokenizerConfig& config = {});

// The vocabulary of vocab.json, merges.txt and added_tokens.json, given their
// contents. `added_tokens_json` may be empty: there is no such file.
absl::StatusOr<Vocabulary> ParseVocabularyFiles(
    absl::string_view vocab_json, absl::string_view merges_txt,
    absl::string_view added_tokens_json, const TokenizerConfig& config = {});

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_LOAD_H_
