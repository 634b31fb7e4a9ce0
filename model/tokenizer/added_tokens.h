// Cuts added tokens such as <|endoftext|> out of a text, before it is cut into
// words, as Hugging Face's tokenizers do: first those that are not normalized,
// in the text as it is written, then the others in what is left, normalized
// where the vocabulary asks for it; each time the leftmost, and of several that
// start there the longest. What a token does with its neighbours is in
// AddedToken.
//
// Thread-safety: immutable after construction.
// Errors: none.

#ifndef ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKENS_H_
#define ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKENS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

class AddedTokens {
 public:
  // A part of a text: an added token with the blanks that it takes, or text.
  struct Piece {
    size_t begin = 0;
    size_t end = 0;  // Not included.
    int32_t id = kText;
  };
  static constexpr int32_t kText = -1;

  // Of which tokens. One that is not taken is text, and so is what it covers.
  enum class Take { kAll, kNotSpecial, kSpecial };

  enum class Stage { kAsWritten, kNormalized };

  explicit AddedTokens(const Vocabulary& vocabulary);

  // The pieces of `text` in order; those of id kText are not empty. Cost: text
  // bytes times the longest added token's bytes at worst.
  std::vector<Piece> Cut(absl::string_view text, Take take, Stage stage) const;
  // Both stages, nothing normalized between them.
  std::vector<Piece> Cut(absl::string_view text, Take take) const;

 private:
  // Tokens of one pass.
  class Pass {
   public:
    void Add(const AddedToken& token);
    // Whether Cut could find a token.
    bool Applies(Take take) const;
    // Appends the pieces of `text`, which begins at `offset` of the whole.
    void Cut(absl::string_view text, size_t offset, Take take,
             std::vector<Piece>& pieces) const;

   private:
    struct Match {
      size_t begin;
      size_t end;
      const AddedToken* token;
    };
    // The first match at `from` or behind; `token` is null where there is none.
    Match Find(absl::string_view text, size_t from) const;
    Match MatchAt(absl::string_view text, size_t begin) const;

    std::vector<AddedToken> tokens_;
    std::array<bool, 256> starts_ = {};  // By first byte.
    // A trie: (node, byte) -> node. Node 0 is the root.
    absl::flat_hash_map<std::pair<int32_t, char>, int32_t> children_;
    absl::flat_hash_map<int32_t, size_t> token_at_node_;  // Into tokens_.
  };

  Pass passes_[2];  // By stage.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_ADDED_TOKENS_H_
