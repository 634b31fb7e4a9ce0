#include "model/bundle/validation_prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<Concept> Concepts() {
  Concept city, job;
  city.name = "city";
  job.name = "job";
  job.slot = 1;
  return {city, job};
}

class ValidationPromptsTest : public ::testing::Test {
 protected:
  ValidationPromptsTest() : directory_(::testing::TempDir() + "/validation") {
    EXPECT_OK(CreateDirectories(directory_));
  }
  absl::StatusOr<std::vector<ValidationPrompt>> Read(const std::string& text) {
    EXPECT_OK(WriteFileAtomically(directory_ + "/" + kValidationFile, text));
    return ReadValidationPrompts(directory_, Concepts());
  }
  const std::string directory_;
};

TEST_F(ValidationPromptsTest, AreReadAsTheyWereWritten) {
  const std::vector<ValidationPrompt> prompts = {
      {"Where?\n", "city", "Oslo", {{"job", "Acme"}}},
      {"What?", "job", "", {}},
      {"Hello!", "", "", {}},
      {"Ann?", "city", "", {}, 0},
      {"Where is Ann?", "city", "", {}, -1, "Ann"}};
  ASSERT_OK_AND_ASSIGN(const auto read,
                       Read(ValidationPromptsToJsonl(prompts)));
  EXPECT_EQ(read, prompts);
  ASSERT_OK_AND_ASSIGN(const auto none,
                       ReadValidationPrompts("/nowhere", Concepts()));
  EXPECT_THAT(none, IsEmpty());
}

TEST_F(ValidationPromptsTest, ALineIsRefusedWithItsPlace) {
  const auto refused = [this](const std::string& line,
                              const std::string& what) {
    EXPECT_THAT(
        Read("{\"prompt\": \"a\", \"concept\": null}\n" + line).status(),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 HasSubstr("validation.jsonl:2: " + what)));
  };
  refused("{\"prompt\": \"a\", \"concept\": \"cty\"}",
          "concept: must be a concept of the checkpoint, got \"cty\"");
  refused("{\"prompt\": \"a\"}", "concept: must be a name, names, or null");
  refused("{\"prompt\": \"\", \"concept\": null}",
          "prompt: must be a text that is not empty");
  refused("{\"prompt\": \"a\", \"concept\": null, \"targets\": {\"x\": \"y\"}}",
          "targets: must be concepts of the checkpoint, got \"x\"");
  refused("{\"prompt\": \"a\", \"concept\": null, \"split\": \"test\"}",
          "split and group: must be absent here, got \"test\"");
  refused("{\"token_ids\": [1], \"concept\": null}",
          "prompt: must be there, got \"token_ids\" instead");
}

TEST_F(ValidationPromptsTest, ABundlesOwnAreThoseOfTheCheckpoint) {
  Manifest manifest;
  manifest.prompts = {{"a", "job"}, {"b", "elsewhere"}};
  const std::vector<ValidationPrompt> of =
      ValidationPromptsOf(manifest, Concepts());
  ASSERT_EQ(of.size(), 1u);
  EXPECT_EQ(of[0].text, "a");
  EXPECT_EQ(of[0].concept_name, "job");
}

}  // namespace
}  // namespace alignsae
