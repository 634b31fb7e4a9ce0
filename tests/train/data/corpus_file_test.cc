#include "model/train/data/corpus_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/file.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class CorpusFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    corpus_ = *GenerateCorpus({.people = 4, .biographies_per_person = 2});
    ASSERT_THAT(WriteCorpus(directory_, corpus_), IsOk());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(absl::string_view name) const {
    return absl::StrCat(directory_, "/", name);
  }
  // Replaces text in a file; data.json gets the new hash, so that the content
  // itself is judged.
  void Edit(const std::string& name, const std::string& from,
            const std::string& to) {
    std::string text = *ReadFile(Path(name));
    const size_t at = text.find(from);
    ASSERT_NE(at, text.npos);
    const std::string old_hash = Sha256Hex(text);
    text.replace(at, from.size(), to);
    ASSERT_THAT(WriteFileAtomically(Path(name), text), IsOk());
    const std::string data = absl::StrReplaceAll(*ReadFile(Path("data.json")),
                                                 {{old_hash, Sha256Hex(text)}});
    ASSERT_THAT(WriteFileAtomically(Path("data.json"), data), IsOk());
  }

  const std::string directory_ =
      absl::StrCat(::testing::TempDir(), "corpus_file_test");
  Corpus corpus_;
};

TEST_F(CorpusFileTest, ReadsBackWhatWasWritten) {
  ASSERT_OK_AND_ASSIGN(const Corpus read, ReadCorpus(directory_));
  EXPECT_EQ(read.hash, corpus_.hash);
  EXPECT_EQ(CorpusHash(read), corpus_.hash);
  EXPECT_EQ(read.questions.size(), 4u * 6 * 10);
  EXPECT_EQ(read.biographies.size(), 8u);
  EXPECT_EQ(read.people[1].values, corpus_.people[1].values);
}

TEST_F(CorpusFileTest, WritesTheTemplateAndRelationsForOtherPrograms) {
  const auto data = nlohmann::json::parse(*ReadFile(Path("data.json")));
  EXPECT_EQ(data["prompt_template"], "Q: {question}\nA:");
  EXPECT_EQ(data["relations"].size(), 6u);
  EXPECT_EQ(data["relations"][1]["name"], "birth_city");
  EXPECT_EQ(data["counts"]["asked_people"], 2);
}

TEST_F(CorpusFileTest, RefusesAChangedFile) {
  std::string text = *ReadFile(Path("people.jsonl"));
  text[text.find("\"name\":\"") + 8] ^= 1;
  ASSERT_THAT(WriteFileAtomically(Path("people.jsonl"), text), IsOk());
  EXPECT_THAT(ReadCorpus(directory_),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("people.jsonl: SHA-256")));
}

TEST_F(CorpusFileTest, RefusesADirectoryWithoutData) {
  EXPECT_THAT(ReadCorpus(absl::StrCat(directory_, "/none")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("data.json")));
}

TEST_F(CorpusFileTest, NamesFileLineAndRuleOfABadLine) {
  struct Case {
    std::string file, from, to, message;
  };
  for (const Case& c : {
           Case{"people.jsonl", "\"id\":0", "\"id\":7",
                "people.jsonl:1: id: must be 0, got 7"},
           Case{"people.jsonl", "\"asked\":", "\"asket\":",
                "people.jsonl:1: asked: must be true or false, got nothing"},
           Case{"people.jsonl", "\"major\":", "\"minor\":",
                "people.jsonl:1: major: must be a string, got nothing"},
           Case{"biographies.jsonl", "\"person\":0", "\"person\":-1",
                "biographies.jsonl:1: person: must be a whole number, not "
                "negative, got -1"},
           Case{"biographies.jsonl", "\"person\":0", "\"person\":4",
                "biographies.jsonl:1: person: must be below 4, got 4"},
           Case{"questions.jsonl", "\"wording\":1", "\"wording\":2",
                "questions.jsonl:2: person, relation, wording: must be 0, "
                "birth_date, 1, got 0, birth_date, 2"},
           Case{"questions.jsonl", "\"split\":\"validation\"",
                "\"split\":\"test\"",
                "questions.jsonl:5: split: must be validation, got test"},
           Case{"questions.jsonl", "\"relation\":\"birth_date\"",
                "\"relation\":\"shoe_size\"",
                "questions.jsonl:1: person, relation, wording: must be 0, "
                "birth_date, 0, got 0, shoe_size, 0"},
           Case{"data.json", "\"format_version\": 2", "\"format_version\": 1",
                "format_version: must be 2, got 1"},
           Case{"data.json", "\"facts\": \"people\"", "\"facts\": \"hops\"",
                "facts: must be people, countries or relations, got \"hops\""},
           Case{"data.json", "\"relations\": 6", "\"relations\": \"6\"",
                "relations: must be a whole number, got \"6\""},
           Case{"data.json", "\"people\": 4", "\"people\": 6",
                "people.jsonl: must have 6 lines, got 4"},
           Case{"data.json", "Q: {question}", "P: {question}",
                "prompt_template: must be this program's"},
       }) {
    SCOPED_TRACE(c.message);
    ASSERT_THAT(WriteCorpus(directory_, corpus_), IsOk());
    Edit(c.file, c.from, c.to);
    EXPECT_THAT(
        ReadCorpus(directory_),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.message)));
  }
}

}  // namespace
}  // namespace alignsae
