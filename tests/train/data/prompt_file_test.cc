#include "model/train/data/prompt_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// Three lines of each concept, one in each split.
std::string Lines(const std::string& extra = "") {
  return R"({"prompt": "q one?", "concept": "question", "split": "train"}
{"prompt": "q two?", "concept": "question", "split": "validation"}
{"prompt": "q three?", "concept": "question", "split": "test"}
{"prompt": "o one!", "concept": "order", "split": "train"}
{"prompt": "o two!", "concept": "order", "split": "validation"}
{"prompt": "o three!", "concept": "order", "split": "test"}
)" + extra;
}

absl::StatusOr<PromptSet> Parse(const std::string& text) {
  return ParsePrompts(text, "p.jsonl", 1);
}

TEST(ParsePromptsTest, ReadsEveryKey) {
  ASSERT_OK_AND_ASSIGN(
      const PromptSet set,
      Parse(Lines(R"({"prompt": "Is Ann in?", "position": {"text": "Ann"}, )"
                  R"("concept": ["order", "question"], "split": "test", )"
                  R"("group": "g", "answer": " yes", )"
                  R"("targets": {"order": "no"}})")));
  ASSERT_EQ(set.prompts.size(), 7u);
  EXPECT_THAT(set.concepts, ElementsAre("question", "order"));
  const LabelledPrompt& last = set.prompts.back();
  EXPECT_EQ(last.position_text, "Ann");
  EXPECT_THAT(last.concepts, ElementsAre(0, 1));
  EXPECT_EQ(last.split, Split::kTest);
  EXPECT_EQ(last.group, "g");
  EXPECT_EQ(last.answer, "yes");
  EXPECT_THAT(last.targets, ElementsAre(Pair(1, "no")));
  EXPECT_EQ(set.prompts[0].position, -1);
}

TEST(ParsePromptsTest, NullIsANegativeAndIdsReplaceTheText) {
  ASSERT_OK_AND_ASSIGN(
      const PromptSet set,
      Parse(Lines(R"({"token_ids": [5, 7], "position": 0, "concept": null, )"
                  R"("split": "train"})")));
  EXPECT_THAT(set.prompts.back().concepts, IsEmpty());
  EXPECT_THAT(set.prompts.back().token_ids, ElementsAre(5, 7));
  EXPECT_EQ(set.prompts.back().position, 0);
}

TEST(ParsePromptsTest, ALineThatBreaksARuleIsNamedWithTheRule) {
  const auto expect = [](const std::string& line, const std::string& words) {
    EXPECT_THAT(Parse(Lines(line)), StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr("p.jsonl:7: " + words)))
        << line;
  };
  expect("{", "");
  expect("[]", "");
  expect(R"({"concept": "order", "split": "test"})",
         "prompt: must be there, or \"token_ids\" instead of it, got neither");
  expect(R"({"prompt": "", "concept": "order", "split": "test"})",
         "prompt: must be a text that is not empty");
  expect(R"({"prompt": "x", "token_ids": [1], "concept": "order"})", "prompt:");
  expect(R"({"token_ids": [-1], "concept": "order", "split": "test"})",
         "token_ids: must be token ids, not empty, got -1");
  expect(R"({"token_ids": [], "concept": "order", "split": "test"})",
         "token_ids: must be token ids, not empty, got []");
  expect(R"({"prompt": "x", "split": "test"})",
         "concept: must be a name, names, or null, got nothing");
  expect(R"({"prompt": "x", "concept": [], "split": "test"})",
         "concept: must be a name, names, or null, got []");
  expect(R"({"prompt": "x", "concept": 3, "split": "test"})", "concept: ");
  expect(R"({"prompt": "x", "concept": ["order", "order"], "split": "test"})",
         "concept: must be distinct names");
  expect(R"({"prompt": "x", "concept": "order", "split": "dev"})",
         "split: must be train, validation or test, got \"dev\"");
  expect(R"({"prompt": "x", "concept": "order"})",
         "split: must be on every line or on none, got none here");
  expect(R"({"prompt": "x", "concept": "order", "split": "test", "spilt": 1})",
         "\"spilt\": must not be there");
  expect(R"({"prompt": "x", "concept": "order", "split": "test", )"
         R"("position": 0.5})",
         "position: must be a whole number");
  expect(R"({"prompt": "x", "concept": "order", "split": "test", )"
         R"("targets": {"shout": "y"}})",
         "targets: must be concepts of the file, got \"shout\"");
  expect(R"({"prompt": "q one?", "concept": "question", "split": "test"})",
         "prompt: must be in one split only, got test here and train on line "
         "1");
  expect(R"({"prompt": "new", "concept": "wish", "split": "test"})",
         "concept: must have prompts in every split, got none of \"wish\" in "
         "train");
}

TEST(ParsePromptsTest, AGroupStaysInOneSplit) {
  EXPECT_THAT(
      Parse(Lines(
          R"({"prompt": "a", "concept": "order", "split": "train", "group": "g"}
{"prompt": "b", "concept": "order", "split": "test", "group": "g"})")),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("p.jsonl:8: group: must be in one split only, got "
                         "test here and train on line 7")));
}

TEST(ParsePromptsTest, LabelsMustBeInBalance) {
  std::string more;
  for (int i = 0; i < kMaxImbalance; ++i) {
    EXPECT_OK(Parse(Lines(more))) << i;
    absl::StrAppend(&more, R"({"prompt": "q)", i,
                    R"(", "concept": "question", "split": "train"})", "\n");
  }
  EXPECT_THAT(Parse(Lines(more)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("p.jsonl:4: concept: must have at least 1/10 "
                                 "of the training prompts of any other, got 1 "
                                 "of \"order\" and 11 of \"question\"")));
}

TEST(ParsePromptsTest, NothingToLearnIsRefused) {
  EXPECT_THAT(Parse(""), StatusIs(absl::StatusCode::kInvalidArgument,
                                  HasSubstr("concept: must be named")));
  EXPECT_THAT(Parse(R"({"prompt": "x", "concept": null})"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("concept: must be named")));
}

// Groups of three lines, without splits.
std::string Unsplit(int groups) {
  std::string lines;
  for (const std::string name : {"\"a\"", "\"b\"", "null"}) {
    const std::string letter = name.substr(1, 1);
    for (int g = 0; g < groups; ++g) {
      for (int i = 0; i < 3; ++i) {
        absl::StrAppend(&lines, R"({"prompt": ")", letter, g, ".", i,
                        R"(", "concept": )", name, R"(, "group": ")", letter, g,
                        "\"}\n");
      }
    }
  }
  return lines;
}

TEST(SplitByGroupTest, EveryConceptHasGroupsInEverySplit) {
  ASSERT_OK_AND_ASSIGN(const PromptSet set, Parse(Unsplit(10)));
  std::map<std::pair<std::vector<int>, Split>, std::set<std::string>> groups;
  for (const LabelledPrompt& prompt : set.prompts) {
    groups[{prompt.concepts, prompt.split}].insert(prompt.group);
  }
  ASSERT_EQ(groups.size(), 9u);
  for (const auto& [key, names] : groups) {
    EXPECT_EQ(names.size(), key.second == Split::kSaeTrain ? 6u : 2u);
  }
}

TEST(SplitByGroupTest, TheSeedDecides) {
  const auto splits = [](uint64_t seed) {
    std::vector<Split> all;
    const PromptSet set = *ParsePrompts(Unsplit(10), "p.jsonl", seed);
    for (const LabelledPrompt& prompt : set.prompts) {
      all.push_back(prompt.split);
    }
    return all;
  };
  EXPECT_EQ(splits(1), splits(1));
  EXPECT_NE(splits(1), splits(2));
}

TEST(SplitByGroupTest, TwoGroupsCannotBeSplitInThree) {
  EXPECT_OK(Parse(Unsplit(3)));
  EXPECT_THAT(Parse(Unsplit(2)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("group: must be at least 3 of each concept, "
                                 "got 2 of ")));
}

TEST(SplitByGroupTest, EqualPromptsWithoutAGroupAreOne) {
  std::string lines;
  for (const char* name : {"a", "b"}) {
    for (int i = 0; i < 12; ++i) {
      absl::StrAppend(&lines, R"({"prompt": ")", name, i / 2,
                      R"(", "concept": ")", name, "\"}\n");
    }
  }
  ASSERT_OK_AND_ASSIGN(const PromptSet set, Parse(lines));
  for (size_t i = 0; i < set.prompts.size(); i += 2) {
    EXPECT_EQ(set.prompts[i].split, set.prompts[i + 1].split);
  }
}

TEST(FacetsTest, NamesBeforeTheLastSlashAreAFacet) {
  EXPECT_THAT(FacetsOf({"form/question", "plain", "form/order", "a/b/c"}),
              ElementsAre(ElementsAre(0, 2), ElementsAre(1), ElementsAre(3)));
}

TEST(PromptLinesTest, TheQuestionsOfACorpusAreReadBack) {
  const Corpus corpus = *GenerateCorpus({.people = 4});
  ASSERT_OK_AND_ASSIGN(const PromptSet set, Parse(PromptLinesOf(corpus)));
  EXPECT_EQ(set.prompts.size(), 4u * kRelationCount * kLmWordings);
  EXPECT_EQ(set.concepts.size(), static_cast<size_t>(kRelationCount));
  const LabelledPrompt& first = set.prompts.front();
  EXPECT_EQ(first.text, corpus.questions.front().prompt);
  EXPECT_EQ(" " + first.answer, corpus.questions.front().answer);
  EXPECT_EQ(first.targets.size(), kRelationCount - 1u);
}

}  // namespace
}  // namespace alignsae
