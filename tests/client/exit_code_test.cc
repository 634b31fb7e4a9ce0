#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "client/cli/commands.h"

namespace alignsae {
namespace {

TEST(ExitCodeTest, TellsUsersMistakeFromServersState) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 64);
  EXPECT_EQ(ExitCodeOf(absl::OutOfRangeError("")), 64);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 66);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 69);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 70);
  EXPECT_EQ(ExitCodeOf(absl::DataLossError("")), 74);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("")), 75);
  EXPECT_EQ(ExitCodeOf(absl::DeadlineExceededError("")), 75);
  EXPECT_EQ(ExitCodeOf(absl::AbortedError("")), 65);
  EXPECT_EQ(ExitCodeOf(absl::UnauthenticatedError("")), 77);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("")), 77);
  EXPECT_EQ(ExitCodeOf(absl::FailedPreconditionError("")), 78);
}

}  // namespace
}  // namespace alignsae
