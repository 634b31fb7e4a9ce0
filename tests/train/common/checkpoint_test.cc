#include "model/train/common/checkpoint.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(WriteTrainingState(path_, tensors_, {{"step", "12"}}), IsOk());
  }
  void TearDown() override { std::remove(path_.c_str()); }

  const std::string path_ =
      absl::StrCat(::testing::TempDir(), "checkpoint_test.safetensors");
  const NamedTensors tensors_ = {{"a", at::arange(6, at::kFloat).view({2, 3})},
                                 {"b", at::full({2}, 0.5)}};
};

TEST_F(CheckpointTest, GivesBackTensorsAndMetadata) {
  ASSERT_OK_AND_ASSIGN(const TrainingStateFile file,
                       TrainingStateFile::Open(path_));
  EXPECT_EQ(file.Metadata("step"), "12");
  EXPECT_EQ(file.Metadata("none"), "");
  const NamedTensors target = {{"b", at::zeros({2})}, {"a", at::zeros({2, 3})}};
  ASSERT_THAT(file.CopyInto(target), IsOk());
  EXPECT_TRUE(at::equal(target[1].second, tensors_[0].second));
  EXPECT_TRUE(at::equal(target[0].second, tensors_[1].second));
}

TEST_F(CheckpointTest, CopiesIntoTrainedTensorsInPlace) {
  ASSERT_OK_AND_ASSIGN(const TrainingStateFile file,
                       TrainingStateFile::Open(path_));
  at::Tensor a = at::zeros({2, 3}).set_requires_grad(true);
  ASSERT_THAT(file.CopyInto({{"a", a}, {"b", at::zeros({2})}}), IsOk());
  EXPECT_EQ(a[1][2].item<float>(), 5);
  EXPECT_TRUE(a.requires_grad());
}

// Safetensors alone would accept this file: every value is a float.
TEST_F(CheckpointTest, RefusesEveryFlippedByteOfTheValues) {
  const std::string good = *ReadFile(path_);
  for (size_t i = good.size() - 32; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] ^= 1;
    ASSERT_THAT(WriteFileAtomically(path_, bad), IsOk());
    EXPECT_THAT(TrainingStateFile::Open(path_),
                StatusIs(absl::StatusCode::kDataLoss,
                         HasSubstr("content must have the SHA-256")))
        << i;
  }
}

TEST_F(CheckpointTest, RefusesChangedMetadata) {
  std::string text = *ReadFile(path_);
  text[text.find("\"12\"") + 1] = '9';
  ASSERT_THAT(WriteFileAtomically(path_, text), IsOk());
  EXPECT_THAT(TrainingStateFile::Open(path_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("damaged")));
}

TEST_F(CheckpointTest, RefusesATruncatedFile) {
  const std::string good = *ReadFile(path_);
  ASSERT_THAT(WriteFileAtomically(path_, good.substr(0, good.size() - 1)),
              IsOk());
  EXPECT_THAT(TrainingStateFile::Open(path_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(path_)));
}

TEST_F(CheckpointTest, NamesTheTensorThatDoesNotFit) {
  ASSERT_OK_AND_ASSIGN(const TrainingStateFile file,
                       TrainingStateFile::Open(path_));
  const at::Tensor a = at::zeros({2, 3});
  const at::Tensor b = at::zeros({2});
  EXPECT_THAT(file.CopyInto({{"a", a}, {"c", b}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("c: must be there, got none")));
  EXPECT_THAT(file.CopyInto({{"a", a}, {"b", at::zeros({3})}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("b: must be [3], got [2]")));
  EXPECT_THAT(file.CopyInto({{"a", a}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must have 1 tensors, got 2")));
  // Nothing is copied when something does not fit.
  EXPECT_EQ(a.abs().sum().item<float>(), 0);
}

}  // namespace
}  // namespace alignsae
