// A text in Unicode's Normalization Form C: letters and marks that have a
// character of their own are that character. GPT-NeoX's tokenizers ask for it.
//
// Characters are Debian's libutf8proc's; the order of marks is sorted here,
// because the library's own sort takes quadratic time on a hostile run of them.
// The text is composed one grapheme cluster at a time: no composition reaches
// across the border of two. Bytes that are not UTF-8 stay as they are. Costs
// O(n log n); a text of ASCII alone is not copied.
//
// Thread-safety: immutable after construction; borrows the text.
// Errors: none.

#ifndef ALIGNSAE_MODEL_TOKENIZER_NFC_H_
#define ALIGNSAE_MODEL_TOKENIZER_NFC_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace alignsae {

class NfcText {
 public:
  explicit NfcText(absl::string_view text);

  absl::string_view text() const {
    return runs_.empty() ? original_ : absl::string_view(composed_);
  }
  // Where in the original byte `byte` of text() comes from; bytes of a cluster
  // that was changed come from where it begins.
  size_t Origin(size_t byte) const;

 private:
  // Clusters that were changed: bytes of text() and of the original.
  struct Run {
    size_t begin, end;
    size_t from, from_end;
  };

  absl::string_view original_;
  std::string composed_;
  std::vector<Run> runs_;  // In order.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_NFC_H_
