#include "model/train/pipeline/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

class StageBookTest : public ::testing::Test {
 protected:
  StageBookTest()
      : directory_("stage_book"), book_(directory_.path(), "abc", nullptr) {
    std::filesystem::create_directories(directory_.path());
  }

  // A stage that writes `contents` to out.txt.
  absl::StatusOr<std::string> Run(const std::string& inputs,
                                  const std::string& contents = "result") {
    return book_.Run({.name = "make",
                      .inputs = inputs,
                      .outputs = {"out.txt"},
                      .run = [&, contents] {
                        ++runs_;
                        return WriteFileAtomically(book_.Path("out.txt"),
                                                   contents);
                      }});
  }

  TemporaryDirectory directory_;
  StageBook book_;
  int runs_ = 0;
};

TEST_F(StageBookTest, AStageRunsOnceWhileNothingChanges) {
  ASSERT_OK_AND_ASSIGN(const std::string first, Run("a"));
  ASSERT_OK_AND_ASSIGN(const std::string second, Run("a"));
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(first, second);
}

TEST_F(StageBookTest, OtherInputsRunItAgainAndChangeTheDigest) {
  ASSERT_OK_AND_ASSIGN(const std::string first, Run("a"));
  ASSERT_OK_AND_ASSIGN(const std::string second, Run("b"));
  EXPECT_EQ(runs_, 2);
  EXPECT_NE(first, second);
}

TEST_F(StageBookTest, AnOutputThatIsMissingOrChangedRunsItAgain) {
  ASSERT_OK(Run("a").status());
  std::filesystem::remove(directory_.File("out.txt"));
  ASSERT_OK(Run("a").status());
  EXPECT_EQ(runs_, 2);
  ASSERT_OK(WriteFileAtomically(directory_.File("out.txt"), "other"));
  ASSERT_OK(Run("a").status());
  EXPECT_EQ(runs_, 3);
}

TEST_F(StageBookTest, ADamagedMarkerRunsItAgain) {
  ASSERT_OK(Run("a").status());
  ASSERT_OK(WriteFileAtomically(directory_.File("stages/make.json"), "{"));
  ASSERT_OK(Run("a").status());
  EXPECT_EQ(runs_, 2);
}

TEST_F(StageBookTest, AStageThatFailsHalfWayIsNotDoneEvenIfItWasBefore) {
  ASSERT_OK(Run("a").status());
  EXPECT_THAT(book_.Run({.name = "make",
                         .inputs = "b",
                         .outputs = {"out.txt"},
                         .run =
                             [&] {
                               EXPECT_OK(WriteFileAtomically(
                                   book_.Path("out.txt"), "result"));
                               return absl::CancelledError("stop");
                             }}),
              StatusIs(absl::StatusCode::kCancelled));
  // The output reads like that of "a", but who knows what "b" left behind.
  ASSERT_OK(Run("a").status());
  EXPECT_EQ(runs_, 2);
}

TEST_F(StageBookTest, AStageThatRefusesLeavesEverythingAsItWas) {
  ASSERT_OK(Run("a").status());
  ASSERT_OK(WriteFileAtomically(book_.Path("state"), "an hour of work"));
  for (const char* inputs : {"b", "a"}) {
    std::filesystem::remove(directory_.File("out.txt"));
    const auto before = TreeOf(directory_.path());
    EXPECT_THAT(
        book_.Run({.name = "make",
                   .inputs = inputs,
                   .outputs = {"out.txt"},
                   .state = {"state"},
                   .run = [] { return absl::InvalidArgumentError("no"); }}),
        StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(Differences(before, TreeOf(directory_.path())),
                ::testing::IsEmpty());
  }
}

TEST_F(StageBookTest, CommitsAreThoseThatMadeTheOutputs) {
  const auto commits_after = [&](const std::string& commit,
                                 const std::string& inputs, bool stop) {
    StageBook book(directory_.path(), commit, nullptr);
    const auto status =
        book.Run({.name = "make",
                  .inputs = inputs,
                  .outputs = {"out.txt"},
                  .state = {"state"},
                  .run = [&]() -> absl::Status {
                    ALIGNSAE_RETURN_IF_ERROR(
                        WriteFileAtomically(book.Path("state"), commit));
                    if (stop) return absl::CancelledError("stop");
                    return WriteFileAtomically(book.Path("out.txt"), "result");
                  }});
    EXPECT_EQ(status.ok(), !stop);
    return book.commits().at("make");
  };
  EXPECT_EQ(commits_after("aaaa", "1", false), "aaaa");
  EXPECT_EQ(commits_after("bbbb", "1", false), "aaaa");  // Done before.
  EXPECT_EQ(commits_after("bbbb", "2", true), "bbbb");
  EXPECT_EQ(commits_after("cccc", "2", false), "bbbb,cccc");
  EXPECT_EQ(commits_after("cccc", "2", false), "bbbb,cccc");
  EXPECT_EQ(commits_after("cccc", "3", false), "cccc");
}

TEST_F(StageBookTest, TheDigestDoesNotDependOnTheCommit) {
  ASSERT_OK_AND_ASSIGN(const std::string digest, Run("a"));
  std::filesystem::remove_all(directory_.File("stages"));
  StageBook other(directory_.path(), "other", nullptr);
  EXPECT_THAT(other.Run({.name = "make",
                         .inputs = "a",
                         .outputs = {"out.txt"},
                         .run = [] { return absl::OkStatus(); }}),
              IsOkAndHolds(digest));
}

TEST_F(StageBookTest, AnOutputThatTheStageDidNotWriteIsAnError) {
  EXPECT_THAT(
      book_.Run({.name = "lazy",
                 .inputs = "",
                 .outputs = {"never.txt"},
                 .run = [] { return absl::OkStatus(); }}),
      StatusIs(absl::StatusCode::kNotFound, ::testing::HasSubstr("never.txt")));
  EXPECT_FALSE(FileExists(directory_.File("stages/lazy.json")));
}

}  // namespace
}  // namespace alignsae
