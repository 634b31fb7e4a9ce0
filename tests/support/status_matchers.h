// gMock matchers for absl::Status and absl::StatusOr. A failing expectation
// prints the status, so that a log alone tells what went wrong.
//
//   EXPECT_THAT(Parse("{}"), IsOk());
//   EXPECT_THAT(Parse("{}"), IsOkAndHolds(SizeIs(3)));
//   EXPECT_THAT(Parse("["), StatusIs(absl::StatusCode::kInvalidArgument,
//                                    HasSubstr("byte 1")));
//   ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(text));
//
// Thread-safety: as gMock's matchers.

#ifndef ALIGNSAE_TESTS_SUPPORT_STATUS_MATCHERS_H_
#define ALIGNSAE_TESTS_SUPPORT_STATUS_MATCHERS_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace status_matchers_internal {

inline const absl::Status& StatusOf(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

class StatusMatcher {
 public:
  using is_gtest_matcher = void;

  StatusMatcher(::testing::Matcher<absl::StatusCode> code,
                ::testing::Matcher<const std::string&> message)
      : code_(std::move(code)), message_(std::move(message)) {}

  template <typename T>
  bool MatchAndExplain(const T& value,
                       ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(value);
    *listener << "whose status is " << status.ToString();
    return code_.Matches(status.code()) &&
           message_.Matches(std::string(status.message()));
  }
  void DescribeTo(std::ostream* os) const {
    *os << "has a code that ";
    code_.DescribeTo(os);
    *os << " and a message that ";
    message_.DescribeTo(os);
  }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "not (";
    DescribeTo(os);
    *os << ")";
  }

 private:
  ::testing::Matcher<absl::StatusCode> code_;
  ::testing::Matcher<const std::string&> message_;
};

template <typename Inner>
class OkAndHoldsMatcher {
 public:
  using is_gtest_matcher = void;

  explicit OkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}

  template <typename T>
  bool MatchAndExplain(const absl::StatusOr<T>& result,
                       ::testing::MatchResultListener* listener) const {
    if (!result.ok()) {
      *listener << "whose status is " << result.status().ToString();
      return false;
    }
    *listener << "which holds " << ::testing::PrintToString(*result) << " ";
    return ::testing::SafeMatcherCast<const T&>(inner_).MatchAndExplain(
        *result, listener);
  }
  void DescribeTo(std::ostream* os) const { *os << "is OK and holds a match"; }
  void DescribeNegationTo(std::ostream* os) const {
    *os << "is not OK or holds no match";
  }

 private:
  Inner inner_;
};

}  // namespace status_matchers_internal

// Status or StatusOr with `code` (a code or a matcher of one) and a message
// that matches `message` (a string means equality).
template <typename Code, typename Message>
status_matchers_internal::StatusMatcher StatusIs(Code&& code,
                                                 Message&& message) {
  return {::testing::MatcherCast<absl::StatusCode>(std::forward<Code>(code)),
          ::testing::MatcherCast<const std::string&>(
              std::forward<Message>(message))};
}
template <typename Code>
status_matchers_internal::StatusMatcher StatusIs(Code&& code) {
  return StatusIs(std::forward<Code>(code), ::testing::_);
}

inline status_matchers_internal::StatusMatcher IsOk() {
  return StatusIs(absl::StatusCode::kOk);
}

// StatusOr that is OK and whose value matches `inner`.
template <typename Inner>
auto IsOkAndHolds(Inner&& inner) {
  return status_matchers_internal::OkAndHoldsMatcher<std::decay_t<Inner>>(
      std::forward<Inner>(inner));
}

}  // namespace alignsae

#define EXPECT_OK(expr) EXPECT_THAT(expr, ::alignsae::IsOk())
#define ASSERT_OK(expr) ASSERT_THAT(expr, ::alignsae::IsOk())

// `lhs` must not hold a comma outside of parentheses (use a type alias).
#define ASSERT_OK_AND_ASSIGN(lhs, expr) \
  ASSERT_OK_AND_ASSIGN_(ALIGNSAE_CONCAT_(test_result_, __LINE__), lhs, expr)
#define ASSERT_OK_AND_ASSIGN_(result, lhs, expr) \
  auto result = (expr);                          \
  ASSERT_OK(result);                             \
  lhs = *std::move(result)

#endif  // ALIGNSAE_TESTS_SUPPORT_STATUS_MATCHERS_H_
