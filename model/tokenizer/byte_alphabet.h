// GPT-2's byte alphabet: every byte has one printable character, so that
// vocab.json and merges.txt can spell any byte string as text without blanks or
// control characters. The space, for instance, is written "Ġ".
//
// Bytes that print in Latin-1 stand for themselves; the other 68 are, in byte
// order, the code points from U+0100 on.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TOKENIZER_BYTE_ALPHABET_H_
#define ALIGNSAE_MODEL_TOKENIZER_BYTE_ALPHABET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

// All bytes by the code point of their character, which is the order of their
// ids in GPT-2's vocabulary.
const std::array<uint8_t, 256>& BytesInVocabularyOrder();

std::string SymbolsFromBytes(absl::string_view bytes);

// nullopt if `symbols` holds a character outside the alphabet.
std::optional<std::string> BytesFromSymbols(absl::string_view symbols);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_BYTE_ALPHABET_H_
