// What requests are parsed against in tests.
//
// Thread-safety: single-threaded tests.

#ifndef ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_
#define ALIGNSAE_TESTS_API_PARSE_FIXTURE_H_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

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

// Conditions on a reading, wherever a request may have one: `when` of an
// intervention, of a swap, of a sweep, a matrix and a search; abort_when.
struct BadCondition {
  std::string name;
  std::string condition;  // Of a ReadingCondition.
  absl::StatusCode code;
  std::string sentence;  // Behind the field's path.
};
inline const std::vector<BadCondition>& BadConditions() {
  static const auto* const kBad = new std::vector<BadCondition>{
      {"Nothing", "slot { slot: 1 }", kInvalid,
       ": must ask for bound or above, got neither"},
      {"NoSlot", "bound: true", kInvalid,
       ".slot: must name a concept or a slot, got none"},
      {"Unknown", "slot { name: 'spouse' } bound: true", kNotFound,
       ".slot.name: must be a concept of checkpoint main, got \"spouse\""},
      {"NoConcept", "slot { slot: 7 } bound: true", kNotFound,
       ".slot: must be a concept's: readings have no others, got slot 7"},
      {"Nan", "slot { slot: 1 } above: nan", kInvalid,
       ".above: must be finite, got nan"}};
  return *kBad;
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
