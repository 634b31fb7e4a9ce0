#include "client/cli/labelled_prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LabelledPromptsTest, TakesTheTestLinesOfAPromptFile) {
  v1::ValidateBindingRequest request;
  ASSERT_OK(AddLabelledPrompts(
      R"({"prompt": "a", "concept": "x", "split": "train", "group": "g"}
{"prompt": "b", "concept": "x", "split": "test", "answer": "A", "targets": {"y": "B"}, "position": {"text": "b"}}

{"token_ids": [3, 4], "concept": null, "split": "test"}
)",
      "p.jsonl", request));
  ASSERT_EQ(request.prompts_size(), 2);
  const v1::LabelledPrompt& first = request.prompts(0);
  EXPECT_EQ(first.prompt().text(), "b");
  EXPECT_EQ(first.concept_name(), "x");
  EXPECT_EQ(first.answer(), "A");
  EXPECT_EQ(first.targets().at("y"), "B");
  EXPECT_EQ(first.position_text(), "b");
  EXPECT_FALSE(first.has_position());
  EXPECT_THAT(request.prompts(1).prompt().token_ids().ids(), ElementsAre(3, 4));
  EXPECT_EQ(request.prompts(1).concept_name(), "");
  EXPECT_EQ(request.prompts(1).position(), -1);
}

TEST(LabelledPromptsTest, ALineIsRefusedWithItsPlace) {
  const auto refused = [](const std::string& text, const std::string& what) {
    v1::ValidateBindingRequest request;
    EXPECT_THAT(AddLabelledPrompts(text, "p.jsonl", request),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(what)));
  };
  refused("{\"prompt\": \"a\"}",
          "p.jsonl:1: concept: must be a name, names, or null");
  refused("{\"concept\": null}", "p.jsonl:1: prompt: must be there");
  refused("{\"prompt\": \"a\", \"concept\": [\"x\", \"y\"]}",
          "concept: must be one name or null");
  refused("{\"prompt\": \"a\", \"concept\": null, \"position\": 1.5}",
          "position: must be a whole number or");
  refused("{\"prompt\": \"a\", \"concept\": null, \"colour\": 1}", "colour");
  refused("{\"prompt\": \"a\", \"concept\": null, \"split\": \"train\"}",
          "p.jsonl: must hold labelled prompts");
}

}  // namespace
}  // namespace alignsae
