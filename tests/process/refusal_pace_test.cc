#include "server/process/refusal_pace.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);

TEST(RefusalPaceTest, TellsTheFirstAtOnceAndWhoAsksEarlyAtTheTimeToldBefore) {
  RefusalPace pace;
  const absl::Duration retry = absl::Milliseconds(500);
  EXPECT_EQ(pace.TellAt("a", retry, kStart), kStart);
  const absl::Time told = kStart + retry;
  for (const int ms : {0, 1, 250, 499}) {
    EXPECT_EQ(pace.TellAt("a", retry, kStart + absl::Milliseconds(ms)), told);
  }
  // It has waited: told at once, and of another time.
  EXPECT_EQ(pace.TellAt("a", retry, told), told);
  EXPECT_EQ(pace.TellAt("a", retry, told + absl::Milliseconds(1)),
            told + retry);
}

TEST(RefusalPaceTest, OneOriginDoesNotSlowAnother) {
  RefusalPace pace;
  pace.TellAt("a", absl::Seconds(1), kStart);
  EXPECT_EQ(pace.TellAt("b", absl::Seconds(1), kStart), kStart);
}

TEST(RefusalPaceTest, NobodyWaitsLongerThanTheLongest) {
  RefusalPace pace;
  pace.TellAt("a", absl::Hours(1), kStart);
  EXPECT_EQ(pace.TellAt("a", absl::Hours(1), kStart),
            kStart + RefusalPace::kLongest);
}

TEST(RefusalPaceTest, EverNewOriginsPushAtMostOneOfThoseToldOut) {
  RefusalPace pace;
  const absl::Duration retry = absl::Milliseconds(500);
  for (size_t i = 0; i <= RefusalPace::kMostOrigins; ++i) {
    EXPECT_EQ(pace.TellAt(absl::StrCat("origin", i), retry, kStart), kStart);
  }
  size_t kept = 0;
  for (size_t i = 0; i <= RefusalPace::kMostOrigins; ++i) {
    kept += pace.TellAt(absl::StrCat("origin", i), retry, kStart) > kStart;
  }
  EXPECT_GE(kept, RefusalPace::kMostOrigins - 1);
}

}  // namespace
}  // namespace alignsae
