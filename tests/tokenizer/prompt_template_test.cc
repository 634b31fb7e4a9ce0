#include "model/tokenizer/prompt_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using Span = Tokenizer::Span;

TEST(PromptTemplateTest, PutsTheQuestionInItsPlace) {
  const FilledTemplate filled = FillTemplate("Q: {question}\nA:", "Who?");
  EXPECT_EQ(filled.text, "Q: Who?\nA:");
  EXPECT_THAT(filled.of_template, ElementsAre(Span{0, 3}, Span{7, 10}));
}

// A question is text: what looks like a template in it stays.
TEST(PromptTemplateTest, TakesTheQuestionAsItIs) {
  EXPECT_EQ(FillTemplate("<{question}>", "{question}").text, "<{question}>");
  EXPECT_EQ(FillTemplate("{question}", "").text, "");
}

TEST(PromptTemplateTest, WithoutAPlaceTheTemplateIsTheText) {
  const FilledTemplate filled = FillTemplate("abc", "Who?");
  EXPECT_EQ(filled.text, "abc");
  EXPECT_THAT(filled.of_template, ElementsAre(Span{0, 3}));
}

}  // namespace
}  // namespace alignsae
