// The tokenizer of the small vocabulary, and its tokens that are no bytes.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_TESTS_TOKENIZER_SMALL_TOKENIZER_H_
#define ALIGNSAE_TESTS_TOKENIZER_SMALL_TOKENIZER_H_

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {

inline constexpr int kTh = 256, kThe = 257, kSpaceThe = 258, kEos = 259;

inline Tokenizer SmallTokenizer(const std::string& added_tokens = "") {
  absl::StatusOr<Tokenizer> tokenizer =
      Tokenizer::FromFiles(SmallVocab().dump(), kSmallMerges, added_tokens);
  EXPECT_OK(tokenizer);
  return *std::move(tokenizer);
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TOKENIZER_SMALL_TOKENIZER_H_
