// What a byte-level BPE vocabulary says, checked: the bytes of every id and the
// merges by rank. Filled from any of the file layouts through
// VocabularyBuilder, so that one set of rules holds for all of them.
//
// Thread-safety: plain data; the builder is for one thread.
// Errors: INVALID_ARGUMENT that names the file, the entry and the rule.

#ifndef ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_
#define ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_

#include <cstdint>
#include <optional>
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

// A token that is cut out of a text before the text is cut into words.
struct AddedToken {
  std::string content;  // Literal text, not spelt in the byte alphabet.
  int32_t id = 0;
  bool special = false;      // Cut out only where that is asked for.
  bool single_word = false;  // Only where no part of a word is beside it.
  bool lstrip = false;       // Takes the blanks before it.
  bool rstrip = false;       // Takes the blanks behind it.
  bool normalized = false;   // Looked for behind those that are not, in NFC.

  friend bool operator==(const AddedToken&, const AddedToken&) = default;
};

struct Vocabulary {
  std::vector<std::string> tokens;  // Bytes by id; ids have no gaps.
  std::vector<bool> is_special;   // By id: a special token, <|endoftext|> too.
  std::vector<Merge> merges;      // By rank: the lower index merges first.
  std::vector<AddedToken> added;  // By id.
  bool nfc = false;               // A text is brought into NFC first (nfc.h).
  std::vector<std::string> warnings;  // For the log, one sentence each.
};

// The id in `json`, or nullopt unless it is an integer in [0,
// kMaxVocabularySize).
std::optional<int32_t> IdFromJson(const nlohmann::json& json);

// A value as an error message shows it.
std::string Excerpt(const nlohmann::json& value);

// Call order: AddAdded*, AddVocab, AddMerge* or AddMergeLine*, Finish.
class VocabularyBuilder {
 public:
  // `field` is for messages.
  absl::Status AddAdded(absl::string_view field, AddedToken token);

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
    bool is_added = false;
  };

  absl::Status AddToken(absl::string_view entry, int32_t id, Token token);
  absl::Status CheckAddedAgain(absl::string_view entry, int32_t id,
                               const nlohmann::json& again) const;
  absl::Status AddVocabEntry(absl::string_view field, const std::string& name,
                             const nlohmann::json& id);
  absl::Status CheckIdsHaveNoGap(absl::string_view field) const;
  absl::Status CheckBytes(absl::string_view field);
  absl::StatusOr<int32_t> FindMergePart(absl::string_view field,
                                        absl::string_view symbols) const;

  absl::flat_hash_map<int32_t, Token> tokens_;
  absl::flat_hash_map<std::string, int32_t> ids_;  // By name.
  std::vector<AddedToken> added_;
  std::vector<Merge> merges_;
  absl::flat_hash_set<std::pair<int32_t, int32_t>> merged_;
  absl::flat_hash_set<int32_t> reachable_;  // Bytes and results of merges.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_VOCABULARY_H_
