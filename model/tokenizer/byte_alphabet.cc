#include "model/tokenizer/byte_alphabet.h"

#include <cstddef>

#include "model/tokenizer/utf8.h"

namespace alignsae {
namespace {

constexpr char32_t kFirstBorrowed = 0x100;  // For bytes that do not print.
constexpr int kBorrowed = 68;
constexpr int kCodePoints = kFirstBorrowed + kBorrowed;

bool PrintsInLatin1(int byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

struct Alphabet {
  std::array<char32_t, 256> code_point = {};
  std::array<int16_t, kCodePoints> byte = {};  // -1: not in the alphabet.
  std::array<uint8_t, 256> in_order = {};

  Alphabet() {
    byte.fill(-1);
    char32_t borrowed = kFirstBorrowed;
    for (int b = 0; b < 256; ++b) {
      code_point[b] = PrintsInLatin1(b) ? static_cast<char32_t>(b) : borrowed++;
      byte[code_point[b]] = static_cast<int16_t>(b);
    }
    size_t next = 0;
    for (int16_t b : byte) {
      if (b >= 0) in_order[next++] = static_cast<uint8_t>(b);
    }
  }
};

const Alphabet& TheAlphabet() {
  static const Alphabet alphabet;
  return alphabet;
}

}  // namespace

const std::array<uint8_t, 256>& BytesInVocabularyOrder() {
  return TheAlphabet().in_order;
}

std::string SymbolsFromBytes(absl::string_view bytes) {
  std::string symbols;
  symbols.reserve(bytes.size() * 2);
  for (char c : bytes) {
    AppendUtf8(TheAlphabet().code_point[static_cast<uint8_t>(c)], symbols);
  }
  return symbols;
}

std::optional<std::string> BytesFromSymbols(absl::string_view symbols) {
  std::string bytes;
  bytes.reserve(symbols.size());
  while (!symbols.empty()) {
    const Utf8Char c = ReadUtf8(symbols);
    if (c.state != Utf8Char::kWhole || c.code_point >= kCodePoints) {
      return std::nullopt;
    }
    const int16_t byte = TheAlphabet().byte[c.code_point];
    if (byte < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(byte));
    symbols.remove_prefix(c.length);
  }
  return bytes;
}

}  // namespace alignsae
