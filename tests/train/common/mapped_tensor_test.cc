#include "model/train/common/mapped_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

// Names in `directory`; 0 where it is not there.
size_t Entries(const std::string& directory) {
  size_t entries = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end;
       !error && it != end; it.increment(error)) {
    ++entries;
  }
  return entries;
}

class MappedTensorTest : public ::testing::Test {
 protected:
  MappedTensorTest() : directory_(::testing::TempDir() + "/mapped/below") {
    std::filesystem::remove_all(directory_);
  }
  ~MappedTensorTest() override { std::filesystem::remove_all(directory_); }
  const std::string directory_;
};

TEST_F(MappedTensorTest, HoldsWhatIsWrittenAndLeavesNoName) {
  ASSERT_OK_AND_ASSIGN(const at::Tensor mapped,
                       MakeMappedTensor(directory_, 1000, 7));
  EXPECT_EQ(mapped.abs().sum().item<float>(), 0);
  const at::Tensor numbers = at::arange(7000, at::kFloat).view({1000, 7});
  mapped.copy_(numbers);
  EXPECT_TRUE(at::equal(mapped, numbers));
  EXPECT_TRUE(at::equal(mapped.narrow(0, 990, 10), numbers.narrow(0, 990, 10)));
  EXPECT_EQ(Entries(directory_), 0u);
}

TEST_F(MappedTensorTest, TheFileOutlivesTheFirstHandle) {
  at::Tensor part;
  {
    ASSERT_OK_AND_ASSIGN(const at::Tensor mapped,
                         MakeMappedTensor(directory_, 8, 2));
    mapped.fill_(3);
    part = mapped.narrow(0, 4, 2);
  }
  EXPECT_EQ(part.sum().item<float>(), 12);
}

// A limit on the size of files stands for a disk without room.
TEST_F(MappedTensorTest, AFullDiskIsASentenceBeforeAnythingIsWritten) {
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = MakeMappedTensor(directory_, 1 << 20, 4).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               HasSubstr(directory_ +
                                         ": cannot hold 16 MiB of residuals "
                                         "(make room, or raise "
                                         "--residual-memory): ")));
  EXPECT_EQ(Entries(directory_), 0u);
}

}  // namespace
}  // namespace alignsae
