// Cuts a text into the pieces that BPE never merges across, as GPT-2's pattern
// does:
//
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Written out by hand because the pattern needs look-ahead and because regex
// engines that offer it recurse or backtrack on long runs. Each byte is looked
// at a bounded number of times. A byte that is not UTF-8 is a character of its
// own that is no letter, number or blank.
//
// Thread-safety: one object, one thread; it borrows the text.
//
// Example:
//   Pretokenizer pieces("Hello world");
//   while (!pieces.done()) Use(pieces.Next());  // "Hello", " world"

#ifndef ALIGNSAE_MODEL_TOKENIZER_PRETOKENIZER_H_
#define ALIGNSAE_MODEL_TOKENIZER_PRETOKENIZER_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace alignsae {

class Pretokenizer {
 public:
  explicit Pretokenizer(absl::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }

  // The next piece, never empty. Only where !done().
  absl::string_view Next();

 private:
  absl::string_view rest_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_PRETOKENIZER_H_
