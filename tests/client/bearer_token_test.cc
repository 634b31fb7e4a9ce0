#include "client/lib/bearer_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class BearerTokenTest : public ::testing::Test {
 protected:
  BearerTokenTest() { unsetenv("ALIGNSAE_TOKEN"); }
  ~BearerTokenTest() override { unsetenv("ALIGNSAE_TOKEN"); }
  std::string Write(const std::string& text) {
    const std::string path = testing::TempDir() + "/bearer-token";
    EXPECT_OK(WriteFileAtomically(path, text));
    return path;
  }
};

TEST_F(BearerTokenTest, IsWhatTheFileHoldsOrElseTheEnvironment) {
  const std::string here = "127.0.0.1:50051";
  EXPECT_EQ(BearerToken("", false, here).value(), "");
  setenv("ALIGNSAE_TOKEN", "of-the-environment", 1);
  EXPECT_EQ(BearerToken("", false, here).value(), "of-the-environment");
  EXPECT_EQ(BearerToken(Write(" of-the-file\n"), false, here).value(),
            "of-the-file");
  EXPECT_THAT(BearerToken(Write("\n"), false, here),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--token-file: must hold a token")));
  EXPECT_FALSE(BearerToken("/nowhere/token", false, here).ok());
}

TEST_F(BearerTokenTest, NeverTravelsInTheOpen) {
  const std::string away = "127.0.0.1:50051,192.0.2.1:50051";
  EXPECT_EQ(BearerToken("", false, away).value(), "");
  setenv("ALIGNSAE_TOKEN", "secret", 1);
  EXPECT_THAT(BearerToken("", false, away),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must not travel in the open")));
  EXPECT_EQ(BearerToken("", true, away).value(), "secret");
}

}  // namespace
}  // namespace alignsae
