// What requests are parsed against in tests.
//
// Thread-safety: single-threaded tests.

#ifndef ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_
#define ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "server/api/parse_env.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {

inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kNotFound = absl::StatusCode::kNotFound;
inline constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

// A request that is refused, and how. The tests say what stands beside it.
struct Bad {
  std::string name;
  std::string request;
  absl::StatusCode code;
  std::string sentence;
};
inline std::string NameOf(const ::testing::TestParamInfo<Bad>& info) {
  return info.param.name;
}

class ParseTest : public ::testing::Test {
 protected:
  ParseEnv env() const {
    return {catalog_.get(), tokenizer_.get(), &limits_,
            [this](const Intervention&) { return applicable_; }};
  }

  std::shared_ptr<const Catalog> catalog_ = SmallCatalog();
  std::shared_ptr<const Tokenizer> tokenizer_ = SmallTokenizer();
  Limits limits_;
  absl::Status applicable_;  // What check_intervention says.
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_
