#include "client/cli/prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// "place|text" of each prompt.
std::vector<std::string> All(const CliOptions& options) {
  absl::StatusOr<PromptReader> reader = PromptReader::Open(options);
  EXPECT_TRUE(reader.ok()) << reader.status();
  std::vector<std::string> all;
  while (reader.ok()) {
    const auto prompt = reader->Next();
    EXPECT_TRUE(prompt.ok()) << prompt.status();
    if (!prompt.ok() || !prompt->has_value()) break;
    all.push_back(absl::StrCat((*prompt)->place, "|", (*prompt)->text));
  }
  return all;
}

CliOptions OfFile(const std::string& contents) {
  CliOptions options;
  options.file = ::testing::TempDir() + "prompts_test.txt";
  EXPECT_TRUE(WriteFileAtomically(options.file, contents).ok());
  return options;
}

TEST(PromptReaderTest, ArgumentsAreThePrompts) {
  CliOptions options;
  options.prompts = {"one", "two "};
  EXPECT_THAT(All(options), ElementsAre("|one", "|two "));
}

TEST(PromptReaderTest, OfAFileEveryLineThatIsNotBlank) {
  const CliOptions options = OfFile("one\r\n\n  \ntwo words \nlast");
  const std::string path = options.file;
  EXPECT_THAT(All(options), ElementsAre(path + ":1|one", path + ":4|two words ",
                                        path + ":5|last"));
  EXPECT_THAT(All(OfFile("")), ElementsAre());
}

TEST(PromptReaderTest, OneWayMustBeChosen) {
  CliOptions options;
  EXPECT_THAT(PromptReader::Open(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("prompt: must be given")));
  options = OfFile("a");
  options.prompts = {"b"};
  EXPECT_THAT(PromptReader::Open(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--file: must not be given beside")));
  options.file = "";
  options.prompts = {"-", "-"};
  EXPECT_THAT(PromptReader::Open(options).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must be given once")));
  options.prompts = {};
  options.file = "/no/such/file";
  EXPECT_THAT(PromptReader::Open(options).status(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("--file: cannot open /no/such/file")));
}

TEST(PromptReaderTest, AFolderCannotBeRead) {
  CliOptions options;
  options.file = ::testing::TempDir();
  ASSERT_OK_AND_ASSIGN(PromptReader reader, PromptReader::Open(options));
  EXPECT_THAT(reader.Next().status(), StatusIs(absl::StatusCode::kDataLoss,
                                               HasSubstr("cannot be read")));
}

}  // namespace
}  // namespace alignsae
