#include "model/tokenizer/pretokenizer.h"

#include "absl/strings/match.h"
#include "model/tokenizer/character_class.h"
#include "model/tokenizer/utf8.h"

namespace alignsae {
namespace {

struct Char {
  CharacterClass kind;
  size_t length;
};

// `text` is not empty.
Char FirstChar(absl::string_view text) {
  const Utf8Char c = ReadUtf8(text);
  if (c.state != Utf8Char::kWhole) return {CharacterClass::kOther, 1};
  return {ClassOf(c.code_point), c.length};
}

// Bytes of the run of `kind` that starts at `start`; `last` receives the length
// of the run's last character.
size_t RunEnd(absl::string_view text, size_t start, CharacterClass kind,
              size_t* last) {
  size_t end = start;
  while (end < text.size()) {
    const Char c = FirstChar(text.substr(end));
    if (c.kind != kind) break;
    end += c.length;
    *last = c.length;
  }
  return end;
}

// Length of 's, 't, 're, 've, 'm, 'll or 'd at the start of `text`; else 0.
size_t ContractionLength(absl::string_view text) {
  if (text.size() < 2 || text[0] != '\'') return 0;
  switch (text[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return absl::StartsWith(text.substr(2), "e") ? 3 : 0;
    case 'l':
      return absl::StartsWith(text.substr(2), "l") ? 3 : 0;
    default:
      return 0;
  }
}

size_t PieceLength(absl::string_view text) {
  if (size_t length = ContractionLength(text); length > 0) return length;

  size_t last = 0;
  // One U+0020 goes with the word, number or signs behind it.
  const size_t start = text[0] == ' ' && text.size() > 1 ? 1 : 0;
  const CharacterClass kind = FirstChar(text.substr(start)).kind;
  if (kind != CharacterClass::kBlank) return RunEnd(text, start, kind, &last);

  // \s+(?!\S): a run of blanks leaves its last one to what follows, unless the
  // text ends there; \s+ is the run of one blank that has nothing to leave.
  const size_t end = RunEnd(text, 0, CharacterClass::kBlank, &last);
  return end == text.size() || end == last ? end : end - last;
}

}  // namespace

absl::string_view Pretokenizer::Next() {
  const absl::string_view piece = rest_.substr(0, PieceLength(rest_));
  rest_.remove_prefix(piece.size());
  return piece;
}

}  // namespace alignsae
