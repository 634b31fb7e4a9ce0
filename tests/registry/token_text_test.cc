// Text and piece of every id that a model can give, known to the tokenizer or
// not.

#include "server/registry/token_text.h"

#include <gtest/gtest.h>

#include "tests/support/small_catalog.h"

namespace alignsae {
namespace {

TEST(TokenTextTest, ASpecialTokenIsAPieceButNoText) {
  const auto tokenizer = SmallTokenizer();
  const int32_t last = tokenizer->vocab_size() - 1;
  ASSERT_TRUE(tokenizer->IsSpecial(last));
  EXPECT_EQ(PieceBytes(*tokenizer, last), tokenizer->TokenBytes(last));
  EXPECT_NE(PieceBytes(*tokenizer, last), "");
  EXPECT_EQ(TextBytes(*tokenizer, last), "");
  EXPECT_EQ(TextBytes(*tokenizer, 0), tokenizer->TokenBytes(0));
  EXPECT_EQ(PieceBytes(*tokenizer, 0), tokenizer->TokenBytes(0));
  EXPECT_NE(TextBytes(*tokenizer, 0), "");
}

TEST(TokenTextTest, AnIdOutsideTheVocabularyHasNeither) {
  const auto tokenizer = SmallTokenizer();
  for (const int32_t id : {-1, tokenizer->vocab_size()}) {
    EXPECT_EQ(PieceBytes(*tokenizer, id), "");
    EXPECT_EQ(TextBytes(*tokenizer, id), "");
  }
}

}  // namespace
}  // namespace alignsae
