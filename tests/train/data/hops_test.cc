// Questions of two steps: what is asked, what is held out, and what a swap of
// one step must give.

#include "model/train/data/hops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/train/data/prompt_file.h"
#include "model/train/data/texts_file.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

HopOptions Small() {
  return {.names = 12, .relations = 4, .facts = 40, .questions = 100, .phi = 1};
}

TEST(HopsTest, TheDefaultIsThePapersShape) {
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops({}));
  EXPECT_THAT(data.names, SizeIs(60));
  EXPECT_THAT(data.relations, SizeIs(20));
  EXPECT_THAT(data.facts, SizeIs(800));
  EXPECT_THAT(data.questions, SizeIs(8000));
  std::map<Split, int> by_split;
  for (const HopQuestion& question : data.questions) {
    ++by_split[question.split];
    EXPECT_EQ(data.ValueOf(question.name, question.first_relation),
              question.bridge);
    EXPECT_EQ(data.ValueOf(question.bridge, question.second_relation),
              question.end);
  }
  EXPECT_EQ(by_split[Split::kSaeTrain], 1200);
  EXPECT_EQ(by_split[Split::kValidation], 3400);
  EXPECT_EQ(by_split[Split::kTest], 3400);
}

TEST(HopsTest, KeyFirstTextsTellEachFactAsOftenAsParagraphsSay) {
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(Small()));
  size_t sentences = 0;
  for (const std::string& text : HopTextsOf(data).texts) {
    std::vector<std::string> parts =
        absl::StrSplit(text, '.', absl::SkipWhitespace());
    EXPECT_LE(parts.size(), 6u);
    sentences += parts.size();
  }
  EXPECT_EQ(sentences, data.facts.size() * 6);
  const HopFact& fact = data.facts[7];
  const std::string told =
      absl::StrCat("The ", data.relations[fact.relation], " of ",
                   data.names[fact.name], " is ", data.names[fact.value], ".");
  size_t found = 0;
  for (const std::string& text : HopTextsOf(data).texts) {
    found += absl::StrContains(text, told) ? 1 : 0;
  }
  EXPECT_EQ(found, 1u);  // One of six wordings.
}

TEST(HopsTest, AuthorsTextsHaveTheAnswerBeforeItsKey) {
  HopOptions options = Small();
  options.form = "authors";
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(options));
  std::multiset<std::string> told, expected;
  for (const std::string& text : HopTextsOf(data).texts) {
    for (absl::string_view part :
         absl::StrSplit(text, '.', absl::SkipWhitespace())) {
      told.insert(std::string(absl::StripAsciiWhitespace(part)));
    }
  }
  for (const HopFact& fact : data.facts) {
    for (int round = 0; round < options.paragraphs; ++round) {
      expected.insert(absl::StrCat(data.names[fact.value], " is the ",
                                   data.relations[fact.relation], " of ",
                                   data.names[fact.name]));
    }
  }
  EXPECT_EQ(told, expected);
}

TEST(HopsTest, OnlyLearnedQuestionsTrainTheModel) {
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(Small()));
  const LmTexts texts = HopTextsOf(data);
  EXPECT_THAT(texts.facts, SizeIs(40));
  std::set<std::string> learned;
  for (const auto& fact : texts.facts) learned.insert(fact.front().prompt);
  int asked = 0, held_out = 0;
  for (const ProbeQuestion& probe : texts.probes) {
    EXPECT_EQ(learned.count(probe.question.prompt), probe.asked ? 1u : 0u);
    if (probe.split == Split::kTest) ++(probe.asked ? asked : held_out);
  }
  EXPECT_EQ(asked, 40);
  EXPECT_EQ(held_out, 30);
  HopOptions options = Small();
  options.one_hop = 1;
  ASSERT_OK_AND_ASSIGN(const HopData with_steps, GenerateHops(options));
  EXPECT_THAT(HopTextsOf(with_steps).facts, SizeIs(80));
}

// Targets of the first step change the bridge, and with it the end.
TEST(HopsTest, TargetsFollowTheOtherRelationToItsEnd) {
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(Small()));
  const std::vector<std::string> lines =
      absl::StrSplit(HopPromptLines(data), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2 * data.questions.size());
  size_t targets = 0;
  for (size_t i = 0; i < data.questions.size(); ++i) {
    const HopQuestion& question = data.questions[i];
    const auto first = nlohmann::json::parse(lines[2 * i]);
    const auto second = nlohmann::json::parse(lines[2 * i + 1]);
    EXPECT_EQ(
        first["prompt"],
        absl::StrCat("Q: Who is the ", data.relations[question.second_relation],
                     " of the ", data.relations[question.first_relation],
                     " of ", data.names[question.name], "?\nA:"));
    EXPECT_EQ(first["concept"], data.relations[question.first_relation]);
    EXPECT_EQ(second["concept"], data.relations[question.second_relation]);
    EXPECT_EQ(second["prompt"], absl::StrCat(first["prompt"].get<std::string>(),
                                             " ", data.names[question.bridge]));
    EXPECT_EQ(first["answer"], absl::StrCat(data.names[question.bridge], " ",
                                            data.names[question.end]));
    for (int r = 0; r < 4; ++r) {
      const std::string& name = data.relations[r];
      if (!first["targets"].contains(name)) continue;
      const int bridge = data.ValueOf(question.name, r);
      const int end = data.ValueOf(bridge, question.second_relation);
      EXPECT_EQ(first["targets"][name],
                absl::StrCat(data.names[bridge], " ", data.names[end]));
      ++targets;
    }
  }
  EXPECT_GT(targets, 100u);
}

TEST(HopsTest, PromptsOfEveryFormAreReadAsLabelledPrompts) {
  for (const char* answers : {"explicit", "implicit"}) {
    for (const char* position : {"answer", "key"}) {
      SCOPED_TRACE(absl::StrCat(answers, " ", position));
      HopOptions options = Small();
      options.answers = answers;
      options.position = position;
      ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(options));
      ASSERT_OK_AND_ASSIGN(const PromptSet set,
                           ParsePrompts(HopPromptLines(data), "p", 1));
      EXPECT_EQ(FacetsOf(set.concepts).size(),
                std::string(answers) == "implicit" ? 2u : 1u);
    }
  }
}

TEST(HopsTest, RefusesOptionsThatTheFactsCannotMeet) {
  EXPECT_THAT(GenerateHops({.names = 10, .relations = 3, .facts = 31}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("facts: must be at most names x relations "
                                 "(30), got 31")));
  EXPECT_THAT(GenerateHops({.phi = 10}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("phi: must leave 160 of 8000 questions")));
  EXPECT_THAT(GenerateHops({.form = "backwards"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("form: must be one of key_first, authors")));
}

class HopsFileTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ =
      absl::StrCat(::testing::TempDir(), "hops_file_test");
};

TEST_F(HopsFileTest, ReadsBackWhatALanguageModelLearns) {
  HopOptions options = Small();
  options.one_hop = 1;
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(options));
  ASSERT_OK_AND_ASSIGN(const std::string hash, WriteHops(directory_, data));
  const LmTexts written = HopTextsOf(data);
  ASSERT_OK_AND_ASSIGN(const LmTexts read, ReadLmTexts(directory_));
  EXPECT_EQ(read.hash, hash);
  EXPECT_EQ(read.texts, written.texts);
  ASSERT_EQ(read.facts.size(), written.facts.size());
  ASSERT_EQ(read.probes.size(), written.probes.size());
  std::map<std::string, int> asked;
  for (const ProbeQuestion& probe : read.probes) {
    asked[absl::StrCat(probe.question.prompt, probe.question.answer,
                       read.groups[probe.group], SplitName(probe.split),
                       probe.asked)]++;
  }
  for (const ProbeQuestion& probe : written.probes) {
    EXPECT_EQ(asked[absl::StrCat(probe.question.prompt, probe.question.answer,
                                 written.groups[probe.group],
                                 SplitName(probe.split), probe.asked)],
              1);
  }
}

TEST_F(HopsFileTest, RefusesAChangedFileAndABadLine) {
  ASSERT_OK_AND_ASSIGN(const HopData data, GenerateHops(Small()));
  ASSERT_THAT(WriteHops(directory_, data), IsOk());
  const std::string path = absl::StrCat(directory_, "/texts.jsonl");
  ASSERT_THAT(WriteFileAtomically(path, "{\"text\": 3}\n"), IsOk());
  EXPECT_THAT(
      ReadLmTexts(directory_),
      StatusIs(absl::StatusCode::kDataLoss, HasSubstr("texts.jsonl: SHA-256")));
  const std::string data_path = absl::StrCat(directory_, "/data.json");
  auto about = nlohmann::json::parse(*ReadFile(data_path));
  for (const auto& [line, rule] : std::map<std::string, std::string>{
           {"{\"text\": 3}", "text: must be a string"},
           {"{\"prompt\": \"a\", \"answer\": \"b\"}",
            "asked: must be true or false"},
           {"{\"prompt\": \"a\", \"answer\": \"b\", \"asked\": true, "
            "\"probes\": [\"unseen\"]}",
            "probes: must be of validation and test"}}) {
    ASSERT_THAT(WriteFileAtomically(path, line + "\n"), IsOk());
    about["files"]["texts.jsonl"] = Sha256Hex(line + "\n");
    ASSERT_THAT(WriteFileAtomically(data_path, about.dump()), IsOk());
    EXPECT_THAT(ReadLmTexts(directory_),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("texts.jsonl:1: " + rule)));
  }
}

}  // namespace
}  // namespace alignsae
