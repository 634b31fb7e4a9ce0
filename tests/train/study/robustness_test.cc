#include "model/train/study/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/train/study/prompt_figures.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

TEST(WordDistanceTest, IsTheShareOfWordsThatOnlyOneHas) {
  EXPECT_DOUBLE_EQ(WordDistance("Where was {name} born?", "where WAS born"), 0);
  EXPECT_DOUBLE_EQ(WordDistance("Where was {name} born?", "When was {name}?"),
                   0.75);
  EXPECT_DOUBLE_EQ(WordDistance("one two", "three"), 1);
  EXPECT_DOUBLE_EQ(WordDistance("", ""), 0);
}

PromptSet Questions() {
  PromptSet set;
  for (int question = 0; question < 6; ++question) {
    for (const char* text : {"Who?", "Who? Ann"}) {
      LabelledPrompt prompt;
      prompt.text = text;
      prompt.group = std::to_string(question);
      prompt.split = question < 2 ? Split::kSaeTrain : Split::kTest;
      set.prompts.push_back(prompt);
    }
  }
  return set;
}

TEST(StepsOfTest, AContinuationIsTheNextStep) {
  PromptSet set = Questions();
  set.prompts.resize(4);
  EXPECT_THAT(StepsOf(set), ElementsAre(1, 2, 1, 2));
  set.prompts[3].group = "other";  // Of another question.
  EXPECT_THAT(StepsOf(set), ElementsAre(1, 2, 1, 1));
}

TEST(WithFewTestGroupsTest, KeepsWholeGroupsAndAllThatTrains) {
  const PromptSet few = WithFewTestGroups(Questions(), 2);
  std::vector<std::string> groups;
  for (const LabelledPrompt& prompt : few.prompts) {
    groups.push_back(prompt.group);
  }
  EXPECT_THAT(groups, ElementsAre("0", "0", "1", "1", "3", "3", "5", "5"));
  EXPECT_EQ(WithFewTestGroups(Questions(), 0).prompts.size(), 12u);
  EXPECT_EQ(WithFewTestGroups(Questions(), 9).prompts.size(), 12u);
}

}  // namespace
}  // namespace alignsae
