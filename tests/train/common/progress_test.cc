#include "model/train/common/progress.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(ProgressTest, BarShowsPartCountAndTimeLeft) {
  EXPECT_EQ(RenderBar("lm", 50, 200, absl::Seconds(75), "loss 1.5"),
            "[======>                 ]  25% lm 50/200 eta 1m15s  loss 1.5");
  EXPECT_EQ(RenderBar("lm", 200, 200, absl::ZeroDuration(), ""),
            "[========================] 100% lm 200/200 eta 0s  ");
}

TEST(ProgressTest, DurationsAreShort) {
  EXPECT_EQ(ShortDuration(absl::Seconds(41)), "41s");
  EXPECT_EQ(ShortDuration(absl::Seconds(190)), "3m10s");
  EXPECT_EQ(ShortDuration(absl::Minutes(125)), "2h05m");
}

TEST(ProgressTest, DrawsNoBarWhereThereIsNoTerminal) {
  std::FILE* lines = std::tmpfile();
  std::FILE* bar = std::tmpfile();
  {
    Progress progress(lines, bar);
    progress.Start("lm", 0, 10);
    progress.Update(5, "half");
    progress.Line("epoch 1");
    progress.Finish();
  }
  EXPECT_EQ(std::ftell(bar), 0);
  EXPECT_EQ(std::ftell(lines), 8);
  std::fclose(lines);
  std::fclose(bar);
}

TEST(ProgressTest, TheWholeCountsPartsByTheirWeight) {
  Progress progress(nullptr, nullptr);
  EXPECT_EQ(progress.BeginPart("lm"), "");
  EXPECT_EQ(progress.Whole(5), 0);
  progress.Plan({{"data", 1}, {"lm", 6}, {"sae", 3}});
  progress.EndPart("data", /*skipped=*/true);
  EXPECT_EQ(progress.BeginPart("lm"), "stage 2 of 3");
  EXPECT_NEAR(progress.Whole(0), 0.1, 1e-9);
  progress.Start("lm", 0, 200);
  EXPECT_NEAR(progress.Whole(100), 0.4, 1e-9);
  EXPECT_NEAR(progress.Whole(300), 0.7, 1e-9);
  progress.EndPart("lm", /*skipped=*/false);
  EXPECT_NEAR(progress.Whole(100), 0.7, 1e-9);
  EXPECT_EQ(progress.BeginPart("sae"), "stage 3 of 3");
  EXPECT_NEAR(progress.Whole(50), 0.7, 1e-9);  // Nothing is known of it yet.
  EXPECT_EQ(progress.BeginPart("unknown"), "");
}

TEST(ProgressTest, StepsBehindUsDoNotCountForTheSpeed) {
  Progress progress(nullptr, nullptr);
  progress.Start("lm", 900, 1000);
  EXPECT_EQ(progress.Eta(900), absl::ZeroDuration());
}

TEST(JsonLogTest, AResumedRunKeepsOnlyTheLinesBeforeIt) {
  const std::string path =
      absl::StrCat(::testing::TempDir(), "progress_test.jsonl");
  std::remove(path.c_str());
  {
    ASSERT_OK_AND_ASSIGN(JsonLog log, JsonLog::Open(path, "epoch", 0));
    for (int epoch : {1, 2, 3}) {
      ASSERT_THAT(log.Append({{"epoch", epoch}}), IsOk());
    }
  }
  ASSERT_OK_AND_ASSIGN(JsonLog log, JsonLog::Open(path, "epoch", 2));
  ASSERT_THAT(log.Append({{"epoch", 3}, {"again", true}}), IsOk());
  EXPECT_EQ(*ReadFile(path),
            "{\"epoch\":1}\n{\"epoch\":2}\n{\"epoch\":3,\"again\":true}\n");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace alignsae
