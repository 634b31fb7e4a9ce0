// What this folder takes from a vocabulary, and the one name it knows.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TOKENIZER_LIMITS_H_
#define ALIGNSAE_MODEL_TOKENIZER_LIMITS_H_

#include <cstddef>

#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr size_t kMaxTokenBytes = 1024;  // GPT-2's longest has 128.
inline constexpr int kMaxVocabularySize = 1 << 18;
inline constexpr absl::string_view kEndOfText = "<|endoftext|>";

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_LIMITS_H_
