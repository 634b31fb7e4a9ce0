#include "model/train/data/prompt_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PromptTokensTest : public ::testing::Test {
 protected:
  PromptTokensTest()
      : tokenizer_(
            *Tokenizer::FromFiles(SmallVocab().dump(), kSmallMerges, "")) {
    set_.file = "p.jsonl";
    set_.concepts = {"a"};
    prompt_.line = 3;
    prompt_.text = "Ann and Bo";
  }

  absl::StatusOr<int> Position(int context_length = 64, int vocab_size = 400) {
    set_.prompts = {prompt_};
    absl::StatusOr<std::vector<PositionedPrompt>> located =
        TokenizePrompts(set_, tokenizer_, context_length, vocab_size);
    if (!located.ok()) return located.status();
    EXPECT_EQ(located->size(), 1u);
    return located->front().position;
  }
  // The bytes of the token at the position.
  std::string Token(int position) {
    return std::string(
        tokenizer_.TokenBytes(tokenizer_.Encode(prompt_.text)[position]));
  }
  void ExpectRefused(const absl::Status& status, const std::string& words) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                 HasSubstr("p.jsonl:3: " + words)));
  }

  Tokenizer tokenizer_;
  PromptSet set_;
  LabelledPrompt prompt_;
};

TEST_F(PromptTokensTest, NumbersCountFromEitherEnd) {
  const int length = static_cast<int>(tokenizer_.Encode(prompt_.text).size());
  EXPECT_THAT(Position(), IsOkAndHolds(length - 1));
  prompt_.position = -length;
  EXPECT_THAT(Position(), IsOkAndHolds(0));
  prompt_.position = length - 1;
  EXPECT_THAT(Position(), IsOkAndHolds(length - 1));
  prompt_.position = length;
  ExpectRefused(Position().status(), "position: must be in [-");
  prompt_.position = -length - 1;
  ExpectRefused(Position().status(), "position: must be in [-");
}

TEST_F(PromptTokensTest, ATextIsReadAtItsLastToken) {
  prompt_.position_text = "Bo";
  ASSERT_OK_AND_ASSIGN(int position, Position());
  EXPECT_EQ(Token(position).back(), 'o');
  prompt_.position_text = "Ann";
  ASSERT_OK_AND_ASSIGN(position, Position());
  EXPECT_EQ(Token(position).back(), 'n');
  EXPECT_LT(position, 4);
}

TEST_F(PromptTokensTest, ATextHasAllOfItsTokens) {
  const auto span = [&] {
    set_.prompts = {prompt_};
    return TokenizePrompts(set_, tokenizer_, 64, 400)->front().Span();
  };
  EXPECT_THAT(span(), ElementsAre(9));
  prompt_.position_text = "Ann";
  EXPECT_THAT(span(), ElementsAre(0, 1, 2));
  // Ids that go in front move it.
  EXPECT_THAT(TokenizePrompts(set_, tokenizer_, 64, 400, 259)->front().Span(),
              ElementsAre(1, 2, 3));
  prompt_.token_ids = tokenizer_.Encode(prompt_.text);
  prompt_.text.clear();
  prompt_.position_text = "and";
  EXPECT_THAT(span(), ElementsAre(4, 5, 6));
}

TEST_F(PromptTokensTest, ATextThatIsNotOneWholePlaceIsRefused) {
  prompt_.text = "on the top";  // " the" is one token.
  prompt_.position_text = "the";
  ASSERT_OK_AND_ASSIGN(const int position, Position());
  EXPECT_EQ(Token(position), " the");
  for (const char* cut : {"th", "he", "n th", "e top"}) {
    prompt_.position_text = cut;
    ExpectRefused(Position().status(),
                  "position.text: must begin and end between two tokens, got ");
  }
  prompt_.position_text = "o";
  ExpectRefused(Position().status(),
                "position.text: must stand in the prompt, once, got \"o\", "
                "which stands there again");
  prompt_.position_text = "Bo";
  ExpectRefused(Position().status(),
                "position.text: must stand in the prompt, once, got \"Bo\", "
                "which does not");
}

TEST_F(PromptTokensTest, PromptsMustFitTheModel) {
  const int length = static_cast<int>(tokenizer_.Encode(prompt_.text).size());
  EXPECT_OK(Position(length));
  ExpectRefused(Position(length - 1).status(), "prompt: must have 1 to ");
  prompt_.text.clear();
  prompt_.token_ids = {5, 399};
  EXPECT_THAT(Position(), IsOkAndHolds(1));
  ExpectRefused(Position(64, 399).status(),
                "token_ids: must be in [0, 398], got 399");
}

}  // namespace
}  // namespace alignsae
