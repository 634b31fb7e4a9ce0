// The sentence for each form in which weights may lie in a directory.

#include "model/io/weights_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class WeightsFileTest : public ::testing::Test {
 protected:
  WeightsFileTest()
      : directory_(absl::StrCat(
            ::testing::TempDir(), "/weights_file_test.",
            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  ~WeightsFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Touch(const std::string& name) {
    const std::string path = absl::StrCat(directory_, "/", name);
    EXPECT_OK(WriteFileAtomically(path, "x"));
    return path;
  }

  const std::string directory_;
};

TEST_F(WeightsFileTest, OneFileIsEnoughWhateverLiesBesideIt) {
  Touch("model.safetensors");
  EXPECT_OK(CheckWeightsFile(directory_));
  Touch("model.safetensors.index.json");
  Touch("pytorch_model.bin");
  EXPECT_OK(CheckWeightsFile(directory_));
}

TEST_F(WeightsFileTest, NamesTheIndexOfSeveralFilesAndWhatToDo) {
  Touch("pytorch_model.bin");
  const std::string index = Touch("model.safetensors.index.json");
  EXPECT_THAT(CheckWeightsFile(directory_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(StartsWith(index), HasSubstr("max_shard_size"))));
}

TEST_F(WeightsFileTest, SaysThatPicklesAreNotReadAndWhatToDo) {
  for (const char* name :
       {"pytorch_model.bin.index.json", "pytorch_model.bin"}) {
    const std::string path = Touch(name);
    EXPECT_THAT(CheckWeightsFile(directory_),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(StartsWith(path + ": pickles are not read"),
                               HasSubstr("safe_serialization=True"))));
  }
}

TEST_F(WeightsFileTest, SaysThatThereIsNothing) {
  const std::string missing = absl::StrCat(
      directory_, "/model.safetensors: must be there, got nothing");
  EXPECT_THAT(CheckWeightsFile(directory_),
              StatusIs(absl::StatusCode::kNotFound, missing));
  EXPECT_THAT(CheckWeightsFile(directory_ + "/none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none/model")));
}

}  // namespace
}  // namespace alignsae
