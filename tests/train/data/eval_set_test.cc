#include "model/train/data/eval_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "model/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(EvalSetTest, OfACorpusHasItsPeopleFactsAndWordings) {
  const Corpus corpus = SmallCorpus();
  const EvalSet set = EvalSetOf(corpus);
  EXPECT_EQ(set.relations[1], "birth_city");
  ASSERT_EQ(set.people.size(), 6u);
  EXPECT_EQ(set.people[2].name, corpus.people[2].name);
  EXPECT_EQ(set.people[2].answers[3], corpus.people[2].values[3]);
  EXPECT_EQ(set.wordings.size(), 60u);
}

TEST(EvalSetTest, PromptsAreThoseOfTheCorpus) {
  const Corpus corpus = SmallCorpus();
  const Tokenizer tokenizer = SmallTokenizer(corpus);
  const EvalSet set = EvalSetOf(corpus);
  std::map<Split, int> counts;
  for (Split split :
       {Split::kSaeTrain, Split::kValidation, Split::kTest, Split::kUnseen}) {
    for (const EvalPrompt& prompt :
         MakePrompts(set, tokenizer, SamplePeople(set, 0), split)) {
      const Question& question = corpus.questions.at(
          (prompt.person * kRelationCount + prompt.relation) *
              kQuestionWordings +
          prompt.wording);
      EXPECT_EQ(prompt.tokens, tokenizer.Encode(question.prompt));
      EXPECT_EQ(question.split, split);
      EXPECT_EQ(
          AnswerTokens(tokenizer,
                       set.people[prompt.person].answers[prompt.relation]),
          tokenizer.Encode(question.answer));
      ++counts[split];
    }
  }
  EXPECT_EQ(counts[Split::kSaeTrain], 6 * 6 * 4);
  EXPECT_EQ(counts[Split::kValidation], 6 * 6 * 2);
  EXPECT_EQ(counts[Split::kTest], 6 * 6 * 2);
  EXPECT_EQ(counts[Split::kUnseen], 6 * 6 * 2);
}

TEST(EvalSetTest, ASampleTakesTheFirstOfEachHalf) {
  EvalSet set;
  for (bool asked : {true, true, false, true, false, false}) {
    set.people.push_back({.name = "x", .asked = asked, .answers = {}});
  }
  EXPECT_THAT(SamplePeople(set, 0), ::testing::ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(SamplePeople(set, 1), ::testing::ElementsAre(0, 2));
  EXPECT_THAT(SamplePeople(set, 2), ::testing::ElementsAre(0, 1, 2, 4));
}

class EvalSetFileTest : public ::testing::Test {
 protected:
  EvalSetFileTest() : directory_("eval_set_files") {
    std::filesystem::create_directories(directory_.path());
    EXPECT_OK(WriteEvalSet(directory_.path(), EvalSetOf(SmallCorpus())));
  }
  absl::StatusOr<EvalSet> ReadWith(const std::string& file,
                                   const std::string& contents) {
    EXPECT_OK(WriteFileAtomically(directory_.File(file), contents));
    return ReadEvalSet(directory_.path(), "Q: {question}\nA:");
  }
  TemporaryDirectory directory_;
};

TEST_F(EvalSetFileTest, ReadsBackWhatWasWritten) {
  const EvalSet written = EvalSetOf(SmallCorpus());
  ASSERT_OK_AND_ASSIGN(const EvalSet set,
                       ReadEvalSet(directory_.path(), kPromptTemplate));
  EXPECT_EQ(set.relations, written.relations);
  EXPECT_EQ(set.prompt_template, written.prompt_template);
  ASSERT_EQ(set.people.size(), written.people.size());
  for (size_t i = 0; i < set.people.size(); ++i) {
    EXPECT_EQ(set.people[i].name, written.people[i].name);
    EXPECT_EQ(set.people[i].asked, written.people[i].asked);
    EXPECT_EQ(set.people[i].answers, written.people[i].answers);
  }
  ASSERT_EQ(set.wordings.size(), written.wordings.size());
  for (size_t i = 0; i < set.wordings.size(); ++i) {
    EXPECT_EQ(set.wordings[i].relation, written.wordings[i].relation);
    EXPECT_EQ(set.wordings[i].wording, written.wordings[i].wording);
    EXPECT_EQ(set.wordings[i].split, written.wordings[i].split);
    EXPECT_EQ(set.wordings[i].pattern, written.wordings[i].pattern);
  }
}

TEST_F(EvalSetFileTest, BadLinesAreNamed) {
  const std::string good =
      R"({"relation":"a","wording":0,"split":"test","pattern":"{name}?"})";
  const std::map<std::string, std::string> cases = {
      {"", "must have lines"},
      {"[]\n", "wordings.jsonl:1: must be an object"},
      {good + "\n{\n", "wordings.jsonl:2: "},
      {R"({"relation":"a","wording":0,"split":"exam","pattern":"{name}?"})"
       "\n",
       "split: must be sae_train, validation, test, unseen, families, synonyms "
       "or by_hand, got \"exam\""},
      {R"({"relation":"a","wording":0,"split":"test","pattern":"who?"})"
       "\n",
       "pattern: must contain {name}, got \"who?\""},
      {R"({"relation":"a","wording":-1,"split":"test","pattern":"{name}"})"
       "\n",
       "wording: must be in [0, 1000]"},
      {R"({"relation":"","wording":0,"split":"test","pattern":"{name}"})"
       "\n",
       "relation: must be a text that is not empty"}};
  for (const auto& [contents, words] : cases) {
    EXPECT_THAT(ReadWith("wordings.jsonl", contents),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)));
  }
  ASSERT_OK(
      WriteFileAtomically(directory_.File("wordings.jsonl"), good + "\n"));
  EXPECT_THAT(
      ReadWith("people.jsonl", R"({"name":"Al","asked":true,"facts":{"b":"x"}})"
                               "\n"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("people.jsonl:1: a: must be a text")));
  EXPECT_THAT(
      ReadWith("people.jsonl", R"({"name":"Al","asked":1,"facts":{"a":"x"}})"
                               "\n"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("asked: must be true or false")));
  EXPECT_THAT(
      ReadWith("people.jsonl", R"({"name":"Al","asked":true,"facts":{"a":"x"}})"
                               "\n"),
      IsOk());
}

}  // namespace
}  // namespace alignsae
