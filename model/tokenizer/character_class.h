// Classes of characters: those that GPT-2's pre-tokenizer tells apart, and
// whether a character is part of a word (\w of Unicode's regular expressions).
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TOKENIZER_CHARACTER_CLASS_H_
#define ALIGNSAE_MODEL_TOKENIZER_CHARACTER_CLASS_H_

namespace alignsae {

enum class CharacterClass : char {
  kLetter,  // \p{L}
  kNumber,  // \p{N}
  kBlank,   // White_Space
  kOther
};

CharacterClass ClassOf(char32_t code_point);

// Alphabetic, a mark, a decimal number, a connector (_) or a joiner.
bool IsWordCharacter(char32_t code_point);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_CHARACTER_CLASS_H_
