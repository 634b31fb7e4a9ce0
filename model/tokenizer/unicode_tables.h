// The classes of characters that GPT-2's pre-tokenizer tells apart.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_
#define ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_

#include <cstdint>

namespace alignsae {

struct UnicodeRange {
  uint32_t first;
  uint32_t last;  // Inclusive.
  char kind;      // 'L' \p{L}, 'N' \p{N}, 'S' White_Space.
};

// Sorted, disjoint. A code point in no range is of another class.
extern const UnicodeRange kUnicodeRanges[];
extern const int kUnicodeRangeCount;

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_
