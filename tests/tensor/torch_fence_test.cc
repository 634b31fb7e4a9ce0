#include "model/tensor/torch_fence.h"

#include <ATen/ATen.h>

#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(TorchFenceTest, HandsResultsThrough) {
  EXPECT_THAT(WithTorchFence([] { return 7; }), IsOkAndHolds(7));
  int calls = 0;
  EXPECT_OK(WithTorchFence([&calls] { ++calls; }));
  EXPECT_EQ(calls, 1);
}

TEST(TorchFenceTest, HandsStatusesThroughWithoutNestingThem) {
  const absl::Status status =
      WithTorchFence([] { return absl::NotFoundError("gone"); });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kNotFound, "gone"));
  const absl::StatusOr<int> result =
      WithTorchFence([]() -> absl::StatusOr<int> { return 3; });
  EXPECT_THAT(result, IsOkAndHolds(3));
}

TEST(TorchFenceTest, TurnsAFailedCheckIntoOneLine) {
  const absl::StatusOr<at::Tensor> product = WithTorchFence([] {
    return at::matmul(at::zeros({2, 3}), at::zeros({2, 3}));
  });
  EXPECT_THAT(product,
              StatusIs(absl::StatusCode::kInternal,
                       AllOf(StartsWith("LibTorch: "), HasSubstr("shapes"),
                             Not(HasSubstr("\n")))));
}

TEST(TorchFenceTest, TellsLackOfMemoryFromOtherErrors) {
  const absl::Status too_large =
      WithTorchFence([] {
        return at::empty({int64_t{1} << 55}, at::kFloat);
      }).status();
  EXPECT_THAT(too_large, StatusIs(absl::StatusCode::kResourceExhausted,
                                  HasSubstr("allocate memory")));
  const absl::Status bad_alloc =
      WithTorchFence([]() -> int { throw std::bad_alloc(); }).status();
  EXPECT_THAT(bad_alloc, StatusIs(absl::StatusCode::kResourceExhausted,
                                  "LibTorch: out of memory"));
  for (const absl::Status& status : {too_large, bad_alloc}) {
    EXPECT_EQ(ReasonOf(status), kReasonMemory);
    EXPECT_EQ(RetryAfterOf(status), std::nullopt);
  }
}

TEST(TorchFenceTest, TurnsOtherExceptionsIntoInternalErrors) {
  EXPECT_THAT(WithTorchFence([] { throw std::runtime_error("first\nsecond"); }),
              StatusIs(absl::StatusCode::kInternal, "LibTorch: first"));
}

}  // namespace
}  // namespace alignsae
