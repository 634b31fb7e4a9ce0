// Tables of character_class.h.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_
#define ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_

#include <cstdint>

namespace alignsae {

struct UnicodeRange {
  uint32_t first;
  uint32_t last;  // Inclusive.
  char kind;      // 'L' \p{L}, 'N' \p{N}, 'S' White_Space, 'W' part of a word.
};

// Sorted, disjoint. A code point in no range is of another class.
extern const UnicodeRange kUnicodeRanges[];
extern const int kUnicodeRangeCount;

// Characters of \w that are no letters: marks, decimal and letter numbers,
// connectors, joiners and alphabetic signs.
extern const UnicodeRange kWordRanges[];
extern const int kWordRangeCount;

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_UNICODE_TABLES_H_
