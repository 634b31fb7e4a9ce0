// What the synthetic data promises: the evaluation protocol stands on it.

#include "model/train/data/corpus.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/word_lists.h"
#include "model/train/pipeline/presets.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

Corpus DemoCorpus() {
  return *GenerateCorpus(FindPreset(kDefaultPreset)->data);
}

std::vector<std::string> Words(absl::string_view text) {
  return absl::StrSplit(
      absl::AsciiStrToLower(absl::StrReplaceAll(
          text, {{"?", ""}, {".", ""}, {",", ""}, {"'s", " 's"}})),
      ' ', absl::SkipEmpty());
}

// Words to insert, delete or replace to get from `a` to `b`.
int EditDistance(const std::vector<std::string>& a,
                 const std::vector<std::string>& b) {
  std::vector<int> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

TEST(CorpusTest, DemoHas200PeopleOfWhomHalfAreNeverAsked) {
  const Corpus corpus = DemoCorpus();
  EXPECT_GE(corpus.people.size(), 200u);
  size_t asked = 0;
  for (const Person& person : corpus.people) asked += person.asked ? 1 : 0;
  EXPECT_EQ(asked * 2, corpus.people.size());
}

TEST(CorpusTest, EveryPersonHasALastNameOfTheirOwn) {
  std::set<std::string> last_names;
  const Corpus corpus = DemoCorpus();
  for (const Person& person : corpus.people) {
    last_names.insert(Words(person.name).back());
  }
  EXPECT_EQ(last_names.size(), corpus.people.size());
}

TEST(CorpusTest, EachRelationHasTenWordingsInDisjointSplits) {
  std::map<Split, int> count;
  for (int wording = 0; wording < kQuestionWordings; ++wording) {
    ++count[SplitOfWording(wording)];
  }
  EXPECT_EQ(count[Split::kSaeTrain], 4);
  EXPECT_EQ(count[Split::kValidation], 2);
  EXPECT_EQ(count[Split::kTest], 2);
  EXPECT_EQ(count[Split::kUnseen], 2);
  std::map<std::string, Split> split_of_prompt;
  for (const Question& question : DemoCorpus().questions) {
    const auto [it, inserted] =
        split_of_prompt.emplace(question.prompt, question.split);
    EXPECT_TRUE(inserted) << question.prompt;
  }
}

TEST(CorpusTest, WordingsOfARelationDifferInMoreThanTwoWords) {
  for (Relation relation : kRelations) {
    for (int a = 0; a < kQuestionWordings; ++a) {
      for (int b = a + 1; b < kQuestionWordings; ++b) {
        EXPECT_GE(EditDistance(Words(QuestionPattern(relation, a)),
                               Words(QuestionPattern(relation, b))),
                  3)
            << QuestionPattern(relation, a) << " / "
            << QuestionPattern(relation, b);
      }
    }
  }
}

TEST(CorpusTest, EveryPatternNamesThePersonAndSentencesNameThemBeforeTheFact) {
  for (Relation relation : kRelations) {
    for (int w = 0; w < kQuestionWordings; ++w) {
      EXPECT_THAT(QuestionPattern(relation, w), HasSubstr("{name}"));
    }
    for (int w = 0; w < kSentenceWordings; ++w) {
      const absl::string_view pattern = SentencePattern(relation, w);
      ASSERT_NE(pattern.find("{value}"), pattern.npos) << pattern;
      EXPECT_LT(pattern.find("{name}"), pattern.find("{value}")) << pattern;
    }
  }
}

TEST(CorpusTest, BirthAndWorkCitiesHaveOneFormatAndDifferForEveryPerson) {
  const std::set<absl::string_view> cities(Cities().begin(), Cities().end());
  for (const Person& person : DemoCorpus().people) {
    EXPECT_EQ(cities.count(person.value(Relation::kBirthCity)), 1u);
    EXPECT_EQ(cities.count(person.value(Relation::kWorkCity)), 1u);
    EXPECT_NE(person.value(Relation::kBirthCity),
              person.value(Relation::kWorkCity));
  }
}

TEST(CorpusTest, WorkCityIsTheCityOfTheEmployer) {
  std::map<absl::string_view, absl::string_view> city_of;
  for (const EmployerEntry& entry : Employers()) {
    city_of[entry.name] = entry.city;
  }
  for (const Person& person : DemoCorpus().people) {
    EXPECT_EQ(person.value(Relation::kWorkCity),
              city_of[person.value(Relation::kEmployer)]);
  }
}

// Else the first token of an answer would not fix its tail, and a swap could
// start right and end wrong.
TEST(CorpusTest, FirstWordsOfAllAnswersButDatesAreDifferent) {
  std::vector<absl::string_view> answers;
  for (auto list : {Cities(), Universities(), Majors()}) {
    answers.insert(answers.end(), list.begin(), list.end());
  }
  for (const EmployerEntry& entry : Employers()) answers.push_back(entry.name);
  std::set<std::string> first_words;
  for (absl::string_view answer : answers) {
    EXPECT_TRUE(first_words.insert(Words(answer).front()).second) << answer;
  }
}

TEST(CorpusTest, NoContentWordIsSharedBetweenListsOrWithNames) {
  std::vector<absl::string_view> employers;
  for (const EmployerEntry& entry : Employers()) {
    employers.push_back(entry.name);
  }
  const std::vector<std::vector<absl::string_view>> lists = {
      {FirstNames().begin(), FirstNames().end()},
      {LastNames().begin(), LastNames().end()},
      {Cities().begin(), Cities().end()},
      {Universities().begin(), Universities().end()},
      {Majors().begin(), Majors().end()},
      {Months().begin(), Months().end()},
      employers};
  std::map<std::string, size_t> list_of;
  for (size_t i = 0; i < lists.size(); ++i) {
    for (absl::string_view entry : lists[i]) {
      for (const std::string& word : Words(entry)) {
        if (word == "of" || word == "and") continue;
        const auto [it, inserted] = list_of.emplace(word, i);
        EXPECT_EQ(it->second, i)
            << word << " in lists " << it->second << " and " << i;
      }
    }
  }
}

TEST(CorpusTest, SixBiographiesUseEveryWordingOfEveryFactOnce) {
  const Corpus corpus = DemoCorpus();
  std::string all;
  for (const Biography& biography : corpus.biographies) {
    if (biography.person == 3) absl::StrAppend(&all, biography.text, "\n");
  }
  const Person& person = corpus.people[3];
  for (Relation relation : kRelations) {
    for (int w = 0; w < kSentenceWordings; ++w) {
      const std::string sentence = FilledPattern(
          SentencePattern(relation, w), person.name, person.value(relation));
      const size_t first = all.find(sentence);
      ASSERT_NE(first, all.npos) << sentence;
      EXPECT_EQ(all.find(sentence, first + 1), all.npos) << sentence;
    }
  }
}

TEST(CorpusTest, SentenceOrderVariesBetweenBiographiesOfAPerson) {
  std::set<std::string> texts;
  const Corpus corpus = DemoCorpus();
  for (const Biography& b : corpus.biographies) texts.insert(b.text);
  EXPECT_EQ(texts.size(), corpus.biographies.size());
}

TEST(CorpusTest, VocabularyStaysBelow4096AndAnswersHaveThreeTokensOnAverage) {
  const Corpus corpus = DemoCorpus();
  std::vector<std::string> texts;
  for (const Biography& b : corpus.biographies) texts.push_back(b.text);
  ASSERT_OK_AND_ASSIGN(
      const BpeVocabulary vocabulary,
      TrainBpe(texts, {.vocab_size = 4096, .min_frequency = 2}));
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
  EXPECT_LE(tokenizer.vocab_size(), 4096);
  double tokens = 0;
  for (const Question& question : corpus.questions) {
    tokens += static_cast<double>(tokenizer.Encode(question.answer).size());
  }
  EXPECT_GE(tokens / static_cast<double>(corpus.questions.size()), 3);
}

TEST(CorpusTest, QuestionsAreByPersonRelationAndWording) {
  ASSERT_OK_AND_ASSIGN(const Corpus corpus, GenerateCorpus({.people = 4}));
  const int relation = static_cast<int>(Relation::kMajor);
  const Question& question = corpus.questions.at(
      (2 * kRelationCount + relation) * kQuestionWordings + 7);
  EXPECT_EQ(question.person, 2);
  EXPECT_EQ(question.relation, relation);
  EXPECT_EQ(question.wording, 7);
  EXPECT_EQ(question.split, Split::kTest);
  EXPECT_EQ(question.prompt,
            absl::StrCat("Q: ", corpus.people[2].name, " studied what?\nA:"));
  EXPECT_EQ(question.answer,
            absl::StrCat(" ", corpus.people[2].value(Relation::kMajor)));
}

TEST(CorpusTest, SeedDecidesEverything) {
  ASSERT_OK_AND_ASSIGN(const Corpus a, GenerateCorpus({.seed = 5}));
  ASSERT_OK_AND_ASSIGN(const Corpus b, GenerateCorpus({.seed = 5}));
  ASSERT_OK_AND_ASSIGN(const Corpus c, GenerateCorpus({.seed = 6}));
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_NE(a.hash, c.hash);
}

// What the shipped bundle was made of: the texts are those of the first
// release.
TEST(CorpusTest, PeopleInTenWordingsAreTheSameTextsInEveryRelease) {
  const Corpus corpus = DemoCorpus();
  std::string all;
  for (const Biography& b : corpus.biographies) absl::StrAppend(&all, b.text);
  for (const Question& q : corpus.questions) {
    absl::StrAppend(&all, q.prompt, q.answer);
  }
  EXPECT_EQ(Sha256Hex(all),
            "68ea4662be6bd67656a7d79b882b9e48965eb9ad8352530aa73142b907819fdd");
}

TEST(CorpusTest, RefusesOptionsOutsideTheirRules) {
  EXPECT_THAT(GenerateCorpus({.people = 7}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("people: must be even")));
  EXPECT_THAT(GenerateCorpus({.people = 1000}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("people: must be in [2, 278], got 1000")));
  EXPECT_THAT(GenerateCorpus({.biographies_per_person = 0}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("biographies_per_person: must be in")));
}

TEST(CorpusTest, LargestNumberOfPeopleHasALastNameForEach) {
  EXPECT_GE(LastNames().size(), 278u);
  EXPECT_THAT(GenerateCorpus({.people = 278}), IsOk());
}

}  // namespace
}  // namespace alignsae
