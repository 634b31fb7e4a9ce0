#include "model/base/labelled_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

absl::StatusOr<std::vector<LabelledLine>> Read(const std::string& text) {
  std::vector<LabelledLine> lines;
  const absl::Status status =
      ForEachLabelledLine(text, "p.jsonl", [&lines](LabelledLine line) {
        lines.push_back(std::move(line));
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return lines;
}

TEST(LabelledLineTest, ReadsEveryKey) {
  ASSERT_OK_AND_ASSIGN(
      const std::vector<LabelledLine> lines,
      Read(R"({"prompt": "Is Ann in?", "position": {"text": "Ann"}, )"
           R"("concept": ["b", "a"], "split": "test", "group": "g", )"
           R"("answer": " yes", "targets": {"a": "no"}})"
           "\n\n"
           R"({"token_ids": [5, 7], "position": 0, "concept": null})"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].place, "p.jsonl:1");
  EXPECT_EQ(lines[0].text, "Is Ann in?");
  EXPECT_EQ(lines[0].position_text, "Ann");
  EXPECT_EQ(lines[0].position, -1);
  EXPECT_THAT(lines[0].concepts, ElementsAre("b", "a"));
  EXPECT_EQ(lines[0].split, "test");
  EXPECT_EQ(lines[0].group, "g");
  EXPECT_EQ(lines[0].answer, " yes");
  EXPECT_THAT(lines[0].targets, ElementsAre(Pair("a", "no")));
  EXPECT_EQ(lines[1].number, 3);
  EXPECT_THAT(lines[1].token_ids, ElementsAre(5, 7));
  EXPECT_EQ(lines[1].position, 0);
  EXPECT_THAT(lines[1].concepts, IsEmpty());
}

TEST(LabelledLineTest, ALineThatBreaksARuleIsNamed) {
  const auto refused = [](const std::string& line, const std::string& words) {
    EXPECT_THAT(Read("\n" + line).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("p.jsonl:2: " + words)))
        << line;
  };
  refused("{", "");
  refused("[]", "must be a JSON object");
  refused(R"({"concept": "a"})",
          "prompt: must be there, or \"token_ids\" instead of it, got neither");
  refused(R"({"prompt": "x", "token_ids": [1], "concept": "a"})",
          "prompt: must be there, or \"token_ids\" instead of it, got both");
  refused(R"({"prompt": "", "concept": "a"})",
          "prompt: must be a text that is not empty");
  refused(R"({"token_ids": [-1], "concept": "a"})",
          "token_ids: must be token ids, not empty, got -1");
  refused(R"({"prompt": "x"})",
          "concept: must be a name, names, or null, got nothing");
  refused(R"({"prompt": "x", "concept": ""})",
          "concept: must be a name, names, or null, got \"\"");
  refused(R"({"prompt": "x", "concept": ["a", "a"]})",
          "concept: must be distinct names");
  refused(R"({"prompt": "x", "concept": null, "position": 0.5})",
          "position: must be a whole number or {\"text\": \"...\"}, got 0.5");
  refused(R"({"prompt": "x", "concept": null, "position": {"text": ""}})",
          "position.text: must be a text that is not empty");
  refused(R"({"prompt": "x", "concept": null, "position": {"word": "x"}})",
          "position.\"word\": must not be there");
  refused(R"({"prompt": "x", "concept": null, "targets": {"a": ""}})",
          "targets: must be texts that are not empty, got \"\"");
  refused(R"({"prompt": "x", "concept": null, "spilt": "test"})",
          "\"spilt\": must not be there");
}

TEST(LabelledLineTest, OneConceptIsAskedOfThoseThatHaveSeveral) {
  ASSERT_OK_AND_ASSIGN(const std::vector<LabelledLine> lines,
                       Read(R"({"prompt": "x", "concept": ["a", "b"]}
{"prompt": "x", "concept": "a"}
{"prompt": "x", "concept": null})"));
  std::string name;
  EXPECT_THAT(lines[0].OneConcept(name),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "p.jsonl:1: concept: must be one name or null, got a, "
                       "b"));
  EXPECT_OK(lines[2].OneConcept(name));
  EXPECT_EQ(name, "");
  EXPECT_OK(lines[1].OneConcept(name));
  EXPECT_EQ(name, "a");
}

}  // namespace
}  // namespace alignsae
