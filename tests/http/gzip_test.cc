#include "server/http/gzip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/gzip_bytes.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(GunzipTest, GivesWhatWasCompressed) {
  std::string text;
  for (int i = 0; i < 9000; ++i) text += std::to_string(i * i);
  for (const std::string& plain : {std::string(), std::string("{}"), text}) {
    ASSERT_OK_AND_ASSIGN(const std::string same, Gunzip(Gzip(plain), 1 << 20));
    EXPECT_EQ(same, plain);
  }
}

TEST(GunzipTest, TheLimitIsOfWhatItBecomes) {
  const std::string plain(70000, 'x');
  const std::string small = Gzip(plain);
  ASSERT_LT(small.size(), 1000u);
  EXPECT_OK(Gunzip(small, 70000));
  EXPECT_THAT(Gunzip(small, 69999),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "request: must have at most 69999 bytes when inflated, "
                       "got more"));
  EXPECT_THAT(Gunzip(Gzip("x"), 0),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

// 64 MiB in 64 KiB: what it becomes is never there.
TEST(GunzipTest, ABombIsGivenUpAtTheLimit) {
  const std::string bomb = Gzip(std::string(64 << 20, '\0'));
  ASSERT_LT(bomb.size(), 70000u);
  EXPECT_THAT(Gunzip(bomb, 1 << 20),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at most 1048576 bytes when inflated")));
}

TEST(GunzipTest, RefusesWhatIsNoWholeMemberAlone) {
  const std::string whole = Gzip("hello hello hello");
  std::string flipped = whole;
  flipped[whole.size() - 6] ^= 1;  // Of the checksum.
  for (const std::string& bytes :
       {std::string(), std::string("{}"), whole.substr(0, whole.size() - 1),
        whole.substr(0, 10), whole + "x", whole + whole, flipped}) {
    EXPECT_THAT(Gunzip(bytes, 1 << 20),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("request: must be one whole gzip member")))
        << bytes.size();
  }
}

}  // namespace
}  // namespace alignsae
