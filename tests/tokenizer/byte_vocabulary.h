// A vocabulary small enough to write down: the 256 bytes as ids 0 to 255,
// "th" 256, "the" 257, "Ġthe" 258 and <|endoftext|> 259. Tests bend it.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_TESTS_TOKENIZER_BYTE_VOCABULARY_H_
#define ALIGNSAE_TESTS_TOKENIZER_BYTE_VOCABULARY_H_

#include <string>

#include "model/tokenizer/byte_alphabet.h"
#include "nlohmann/json.hpp"

namespace alignsae {

inline constexpr char kSmallMerges[] = "#version: 0.2\nt h\nth e\n\u0120 the\n";

// id of the byte `c` in SmallVocab().
inline int ByteId(char c) {
  const auto& order = BytesInVocabularyOrder();
  int id = 0;
  while (order[id] != static_cast<uint8_t>(c)) ++id;
  return id;
}

inline nlohmann::json SmallVocab() {
  nlohmann::json vocab = nlohmann::json::object();
  for (uint8_t byte : BytesInVocabularyOrder()) {
    const std::string bytes(1, static_cast<char>(byte));
    vocab[SymbolsFromBytes(bytes)] = vocab.size();
  }
  for (const char* token : {"th", "the", "\u0120the", "<|endoftext|>"}) {
    vocab[token] = vocab.size();
  }
  return vocab;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TOKENIZER_BYTE_VOCABULARY_H_
