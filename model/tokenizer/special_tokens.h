// Finds added tokens such as <|endoftext|> in a text.
//
// Thread-safety: immutable after construction.
// Errors: none.

#ifndef ALIGNSAE_MODEL_TOKENIZER_SPECIAL_TOKENS_H_
#define ALIGNSAE_MODEL_TOKENIZER_SPECIAL_TOKENS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

class SpecialTokens {
 public:
  struct Match {
    size_t begin;  // In the text.
    size_t size;
    int32_t id;
  };

  explicit SpecialTokens(const Vocabulary& vocabulary);

  // The leftmost special token in `text`; of several that start there, the
  // longest. Cost: text bytes times the longest special token's bytes.
  std::optional<Match> Find(absl::string_view text) const;

 private:
  std::optional<Match> MatchAt(absl::string_view text, size_t begin) const;

  // A trie: (node, byte) -> node. Node 0 is the root.
  absl::flat_hash_map<std::pair<int32_t, char>, int32_t> children_;
  absl::flat_hash_map<int32_t, int32_t> id_at_node_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_SPECIAL_TOKENS_H_
