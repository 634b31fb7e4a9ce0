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
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

// tokenizer.json if there is one, else vocab.json, merges.txt and, where there
// is one, added_tokens.json. Where both are there they must say the same.
// tokenizer_config.json is read only to refuse options that change the
// encoding.
absl::StatusOr<Vocabulary> LoadVocabulary(const std::string& directory);

// The vocabulary of tokenizer.json, given its contents. Whatever in it would
// encode in another way than GPT-2's is refused by name.
absl::StatusOr<Vocabulary> ParseTokenizerJson(absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_LOAD_H_
