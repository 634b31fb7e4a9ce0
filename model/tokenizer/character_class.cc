#include "model/tokenizer/character_class.h"

#include <algorithm>
#include <array>

#include "model/tokenizer/unicode_tables.h"

namespace alignsae {
namespace {

constexpr char kNone = 0;

// The kind of the range that holds `code_point`, or kNone.
char KindIn(const UnicodeRange* ranges, int count, char32_t code_point) {
  const UnicodeRange* end = ranges + count;
  const UnicodeRange* range = std::lower_bound(
      ranges, end, code_point,
      [](const UnicodeRange& r, char32_t value) { return r.last < value; });
  return range != end && range->first <= code_point ? range->kind : kNone;
}

CharacterClass ClassFromTable(char32_t code_point) {
  switch (KindIn(kUnicodeRanges, kUnicodeRangeCount, code_point)) {
    case 'L':
      return CharacterClass::kLetter;
    case 'N':
      return CharacterClass::kNumber;
    case 'S':
      return CharacterClass::kBlank;
    default:
      return CharacterClass::kOther;
  }
}

}  // namespace

CharacterClass ClassOf(char32_t code_point) {
  static const std::array<CharacterClass, 128> ascii = [] {
    std::array<CharacterClass, 128> classes = {};
    for (char32_t c = 0; c < classes.size(); ++c) {
      classes[c] = ClassFromTable(c);
    }
    return classes;
  }();
  return code_point < ascii.size() ? ascii[code_point]
                                   : ClassFromTable(code_point);
}

bool IsWordCharacter(char32_t code_point) {
  return ClassOf(code_point) == CharacterClass::kLetter ||
         KindIn(kWordRanges, kWordRangeCount, code_point) != kNone;
}

}  // namespace alignsae
