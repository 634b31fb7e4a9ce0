// What the grammar's wordings promise: how many, of which families, and who
// sees which of them.

#include "model/train/data/grammar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/train/data/corpus.h"
#include "model/train/data/lexicons.h"
#include "model/train/data/lm_texts.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::vector<RelationWords>> AllGrammars() {
  return {PeopleInGrammar(), CountriesInGrammar(), ManyRelations(100)};
}

TEST(GrammarTest, EachRelationHasSixtyWordingsOfEightFamiliesAndFiveByHand) {
  for (const std::vector<RelationWords>& relations : AllGrammars()) {
    for (const RelationWords& words : relations) {
      SCOPED_TRACE(words.name);
      std::set<std::string> families;
      std::map<Split, int> by_split;
      int of_grammar = 0;
      for (const QuestionWording& wording : words.questions) {
        ++by_split[wording.split];
        if (wording.family.empty()) continue;
        families.insert(wording.family);
        ++of_grammar;
      }
      EXPECT_GE(of_grammar, 60);
      for (const char* family :
           {"question", "command", "fragment", "possessive", "inverted",
            "passive", "polite", "embedded"}) {
        EXPECT_EQ(families.count(family), 1u) << family;
      }
      EXPECT_GE(by_split[Split::kByHand], 5);
      EXPECT_GE(by_split[Split::kFamilies], 6);
      EXPECT_GE(by_split[Split::kSynonyms], 6);
      EXPECT_GE(by_split[Split::kValidation], 4);
      EXPECT_GE(by_split[Split::kTest], 6);
      EXPECT_GE(by_split[Split::kSaeTrain], 12);
    }
  }
}

TEST(GrammarTest, FamiliesAreHeldOutWhole) {
  for (const std::vector<RelationWords>& relations : AllGrammars()) {
    std::map<std::string, std::set<Split>> splits;
    for (const RelationWords& words : relations) {
      for (const QuestionWording& wording : words.questions) {
        if (wording.split == Split::kSynonyms) continue;
        splits[wording.family].insert(wording.split);
      }
    }
    for (const char* family : {"need", "cleft", "conditional"}) {
      EXPECT_EQ(splits[family], std::set<Split>{Split::kFamilies}) << family;
    }
    EXPECT_EQ(splits["passive"], std::set<Split>{Split::kValidation});
    for (const char* family : {"polite", "topic"}) {
      EXPECT_EQ(splits[family], std::set<Split>{Split::kTest}) << family;
    }
    for (const char* family : {"question", "fragment", "noisy", "chatty"}) {
      EXPECT_EQ(splits[family],
                (std::set<Split>{Split::kSaeTrain, Split::kLmOnly}))
          << family;
    }
  }
}

// A prompt that two relations share would have two right answers.
TEST(GrammarTest, NoWordingStandsTwiceWhateverTheCase) {
  for (const std::vector<RelationWords>& relations : AllGrammars()) {
    std::set<std::string> patterns;
    for (const RelationWords& words : relations) {
      for (const QuestionWording& wording : words.questions) {
        EXPECT_TRUE(
            patterns.insert(absl::AsciiStrToLower(wording.pattern)).second)
            << wording.pattern;
        EXPECT_THAT(wording.pattern, HasSubstr("{name}"));
        for (const char* mark :
             {"{N}", "{A}", "{a}", "{E}", "{I}", "{P}", "{thing}"}) {
          EXPECT_FALSE(absl::StrContains(wording.pattern, mark))
              << wording.pattern;
        }
      }
    }
  }
}

TEST(GrammarTest, SentencesNameTheSubjectBeforeTheFact) {
  for (const std::vector<RelationWords>& relations : AllGrammars()) {
    for (const RelationWords& words : relations) {
      EXPECT_GE(words.sentences.size(), 6u);
      for (const std::string& sentence : words.sentences) {
        ASSERT_THAT(sentence, HasSubstr("{value}"));
        EXPECT_LT(sentence.find("{name}"), sentence.find("{value}"))
            << sentence;
      }
    }
  }
}

// Held-out nouns are words that the language model reads, and is never asked
// with.
TEST(GrammarTest, HeldOutNounsStandInSentencesAndInNoQuestionThatTrains) {
  const std::map<std::string, std::string> held = {
      {"birth_date", "day of birth"},    {"birth_city", "native town"},
      {"university", "alma mater"},      {"major", "discipline"},
      {"employer", "organization"},      {"work_city", "job location"},
      {"capital", "seat of government"}, {"currency", "legal tender"},
      {"continent", "landmass"},         {"language", "tongue"},
      {"calling_code", "telephone code"}};
  size_t seen = 0;
  for (const auto& relations : {PeopleInGrammar(), CountriesInGrammar()}) {
    for (const RelationWords& words : relations) {
      const std::string& noun = held.at(words.name);
      ++seen;
      bool told = false;
      for (const std::string& sentence : words.sentences) {
        told |= absl::StrContains(sentence, noun);
      }
      EXPECT_TRUE(told) << noun;
      for (const QuestionWording& wording : words.questions) {
        if (wording.split == Split::kSynonyms) {
          EXPECT_THAT(wording.pattern, HasSubstr(noun));
        } else if (LmSees(wording.split)) {
          EXPECT_FALSE(absl::StrContains(wording.pattern, noun))
              << wording.pattern;
        }
      }
    }
  }
  EXPECT_EQ(seen, held.size());
}

TEST(GrammarTest, TodaysUnseenWordingsStayAsTheyAreAndTrainNobody) {
  for (Relation relation : kRelations) {
    const RelationWords words = PeopleInGrammar()[static_cast<int>(relation)];
    std::vector<std::string> unseen, trained;
    for (const QuestionWording& wording : words.questions) {
      if (wording.split == Split::kUnseen) unseen.push_back(wording.pattern);
      if (LmSees(wording.split)) trained.push_back(wording.pattern);
    }
    EXPECT_EQ(unseen, (std::vector<std::string>{
                          std::string(QuestionPattern(relation, 8)),
                          std::string(QuestionPattern(relation, 9))}));
    for (const std::string& pattern : trained) {
      EXPECT_FALSE(absl::StartsWith(pattern, "I would like to know"));
      EXPECT_FALSE(absl::StartsWith(pattern, "Which date is the"));
    }
  }
}

TEST(GrammarCorpusTest, TheLanguageModelReadsNoHeldOutWording) {
  ASSERT_OK_AND_ASSIGN(const Corpus corpus,
                       GenerateCorpus({.wordings = "grammar", .people = 4}));
  std::set<std::string> learned, expected;
  for (const std::vector<LmQuestion>& fact : LmTextsOf(corpus).facts) {
    for (const LmQuestion& question : fact) learned.insert(question.prompt);
  }
  std::map<Split, int> counts;
  for (const Question& question : corpus.questions) {
    ++counts[question.split];
    if (!corpus.people[question.person].asked) continue;
    if (question.split == Split::kSaeTrain ||
        question.split == Split::kValidation ||
        question.split == Split::kTest || question.split == Split::kLmOnly) {
      expected.insert(question.prompt);
    }
  }
  EXPECT_EQ(learned, expected);
  for (Split split : kSplits) EXPECT_GT(counts[split], 0) << SplitName(split);
}

TEST(ManyRelationsTest, AnswersAreOneWordThatTellsTheRelation) {
  ASSERT_OK_AND_ASSIGN(const Corpus corpus,
                       GenerateCorpus({.facts = "relations",
                                       .people = 4,
                                       .biographies_per_person = 2,
                                       .relations = 100}));
  EXPECT_THAT(corpus.relations, SizeIs(100));
  std::map<std::string, size_t> relation_of;
  for (const Person& person : corpus.people) {
    for (size_t r = 0; r < person.values.size(); ++r) {
      EXPECT_EQ(person.values[r].find(' '), std::string::npos);
      EXPECT_EQ(relation_of.emplace(person.values[r], r).first->second, r);
    }
  }
  // 100 facts are told in seventeen texts, each time.
  EXPECT_THAT(corpus.biographies, SizeIs(4 * 2 * 17));
}

}  // namespace
}  // namespace alignsae
