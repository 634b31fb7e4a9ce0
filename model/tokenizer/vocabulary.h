// What a byte-level BPE vocabulary says, checked: the bytes of every id and the
// merges by rank. Filled from any of the file layouts through
// VocabularyBuilder, so that one set of rules holds for all of them.
//
// Thread-safety: plain data; the builder is for one thread.
// Errors: INVALID_ARGUMENT that names the file, the entry and the rule.

#ifndef ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_
#define ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct Merge {
  int32_t left = 0;
  int32_t right = 0;
  int32_t result = 0;  // The token whose bytes are left's, then right's.

  friend bool operator==(const Merge&, const Merge&) = default;
};

struct Vocabulary {
  std::vector<std::string> tokens;  // Bytes by id; ids have no gaps.
  std::vector<bool> is_special;     // By id: an added token or <|endoftext|>.
  std::vector<Merge> merges;        // By rank: the lower index merges first.
};

// Call order: AddSpecial*, AddVocab, AddMerge* or AddMergeLine*, Finish.
class VocabularyBuilder {
 public:
  // `name` is literal text, not spelt in the byte alphabet.
  absl::Status AddSpecial(absl::string_view field, absl::string_view name,
                          const nlohmann::json& id);

  // `vocab` is an object symbols -> id. <|endoftext|> in it becomes special.
  absl::Status AddVocab(absl::string_view field, const nlohmann::json& vocab);

  // The next rank. `left` and `right` are spelt in the byte alphabet.
  absl::Status AddMerge(absl::string_view field, absl::string_view left,
                        absl::string_view right);
  absl::Status AddMergeLine(absl::string_view field,
                            absl::string_view line);  // "left right"

  absl::StatusOr<Vocabulary> Finish() &&;

 private:
  struct Token {
    std::string name;  // As the file spells it.
    std::string bytes;
    bool is_special = false;
  };

  absl::Status AddToken(absl::string_view entry, const nlohmann::json& id,
                        Token token);
  absl::Status AddVocabEntry(absl::string_view field, const std::string& name,
                             const nlohmann::json& id);
  absl::Status CheckIdsHaveNoGap(absl::string_view field) const;
  absl::Status CheckBytes(absl::string_view field);
  absl::StatusOr<int32_t> FindMergePart(absl::string_view field,
                                        absl::string_view symbols) const;

  absl::flat_hash_map<int32_t, Token> tokens_;
  absl::flat_hash_map<std::string, int32_t> ids_;  // By name.
  std::vector<Merge> merges_;
  absl::flat_hash_set<std::pair<int32_t, int32_t>> merged_;
  absl::flat_hash_set<int32_t> reachable_;  // Bytes and results of merges.
};

// The vocabulary of vocab.json, merges.txt and added_tokens.json, given their
// contents. `added_tokens_json` may be empty: there is no such file.
absl::StatusOr<Vocabulary> ParseVocabularyFiles(
    absl::string_view vocab_json, absl::string_view merges_txt,
    absl::string_view added_tokens_json);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_
