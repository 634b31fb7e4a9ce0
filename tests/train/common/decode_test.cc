#include "model/train/common/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"
#include "tests/support/status_matchers.h"
#include "tests/train/scripted_executor.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Tokens = std::vector<int32_t>;

constexpr int32_t kEos = 99;

// Length and tokens depend on the prompt and on alpha.
Tokens Script(const Tokens& prompt, const std::vector<Intervention>& edits) {
  uint64_t hash = edits.empty() ? 0 : static_cast<uint64_t>(edits[0].alpha);
  for (int32_t token : prompt) hash = Mix64(hash ^ token);
  Tokens answer(1 + hash % 5);
  for (int32_t& token : answer) {
    hash = Mix64(hash);
    token = static_cast<int32_t>(hash % 90);
  }
  answer.push_back(kEos);
  return answer;
}

InterventionList EditWithAlpha(double alpha, int position) {
  Intervention edit;
  edit.alpha = alpha;
  edit.positions.prompt = {position};
  return std::make_shared<const std::vector<Intervention>>(1, edit);
}

class DecodeArmsTest : public ::testing::Test {
 protected:
  // Prompt i has 1 + i tokens and i arms.
  void AddJobs(int count) {
    for (int i = 0; i < count; ++i) {
      prompts_.push_back(Tokens(1 + i, 10 + i));
    }
    for (int i = 0; i < count; ++i) {
      jobs_.push_back({.prompt = prompts_[i], .arms = i});
    }
  }

  absl::Status Decode(StepExecutor& executor) {
    DecodeCalls calls;
    calls.interventions = [&](int job, int arm) {
      return EditWithAlpha(arm, static_cast<int>(jobs_[job].prompt.size()) - 1);
    };
    calls.on_answer = [&](int job, int arm, const ArmAnswer& answer) {
      EXPECT_TRUE(answers_.emplace(std::make_pair(job, arm), answer).second)
          << "answered twice";
    };
    calls.on_step = on_step_;
    return DecodeArms(executor, jobs_,
                      {.catalog = std::make_shared<Catalog>(catalog_),
                       .max_tokens = max_tokens_},
                      calls);
  }

  Catalog catalog_ = OneBlock(kEos);
  int max_tokens_ = 12;
  std::vector<Tokens> prompts_;
  std::vector<DecodeJob> jobs_;
  std::map<std::pair<int, int>, ArmAnswer> answers_;
  std::function<absl::Status(int64_t)> on_step_;
};

TEST_F(DecodeArmsTest, EveryArmGetsTheAnswerThatItWouldGetAlone) {
  AddJobs(9);
  for (int slots : {1, 3, 64}) {
    answers_.clear();
    ScriptedExecutor executor(slots, Script);
    ASSERT_OK(Decode(executor));
    EXPECT_EQ(answers_.size(), 36u);  // 0 + 1 + ... + 8
    for (const auto& [key, answer] : answers_) {
      Tokens expected =
          Script(prompts_[key.first], *EditWithAlpha(key.second, 0));
      expected.pop_back();
      EXPECT_EQ(answer.tokens, expected);
      EXPECT_TRUE(answer.ended);
      EXPECT_FALSE(answer.failed);
    }
    EXPECT_LE(executor.most_rows, static_cast<size_t>(slots));
  }
}

TEST_F(DecodeArmsTest, ArmsThatStartTogetherRunTheirPrefixOnce) {
  prompts_ = {Tokens(40, 7)};
  jobs_ = {{.prompt = prompts_[0], .arms = 20}};
  ScriptedExecutor executor(8, [](const Tokens&, const auto&) {
    return Tokens{5, kEos};
  });
  ASSERT_OK(Decode(executor));
  // Eight arms start together, and others as KV slots free: in each group 40
  // tokens for the first, 1 for each other. And 1 after "5" in every arm.
  EXPECT_EQ(executor.tokens_run, 3 * 39 + 20 + 20);
}

TEST_F(DecodeArmsTest, AnAnswerWithoutEosIsCutAtItsLimits) {
  prompts_ = {{1, 2, 3}};
  jobs_ = {{.prompt = prompts_[0], .arms = 1}};
  ScriptedExecutor executor(
      1, [](const Tokens&, const auto&) { return Tokens(100, 4); });
  max_tokens_ = 6;
  ASSERT_OK(Decode(executor));
  EXPECT_EQ((answers_[{0, 0}].tokens), Tokens(6, 4));
  EXPECT_FALSE((answers_[{0, 0}].ended));

  // Positions 3 and 4 are left.
  answers_.clear();
  max_tokens_ = 12;
  catalog_.model.context_length = 5;
  ASSERT_OK(Decode(executor));
  EXPECT_EQ((answers_[{0, 0}].tokens), Tokens(2, 4));

  // None is.
  answers_.clear();
  catalog_.model.context_length = 3;
  ASSERT_OK(Decode(executor));
  EXPECT_EQ((answers_[{0, 0}].tokens), Tokens());
  EXPECT_FALSE((answers_[{0, 0}].ended));
}

TEST_F(DecodeArmsTest, AnArmWithoutFiniteLogitsFailsAlone) {
  AddJobs(4);
  ScriptedExecutor executor(2, Script);
  executor.row_status = [](const StepRow& row) {
    return row.interventions->front().alpha == 1
               ? absl::OutOfRangeError("logits")
               : absl::OkStatus();
  };
  ASSERT_OK(Decode(executor));
  for (const auto& [key, answer] : answers_) {
    EXPECT_EQ(answer.failed, key.second == 1);
    EXPECT_EQ(answer.tokens.empty(), key.second == 1);
  }
  EXPECT_EQ(answers_.size(), 6u);
}

TEST_F(DecodeArmsTest, AnyOtherErrorEndsTheCall) {
  AddJobs(3);
  ScriptedExecutor executor(2, Script);
  executor.row_status = [](const StepRow&) {
    return absl::ResourceExhaustedError("no memory");
  };
  EXPECT_THAT(Decode(executor), StatusIs(absl::StatusCode::kResourceExhausted,
                                         HasSubstr("no memory")));
}

TEST_F(DecodeArmsTest, ProgressIsToldAndMayStopTheCall) {
  AddJobs(5);
  ScriptedExecutor executor(2, Script);
  int64_t last = 0;
  on_step_ = [&](int64_t done) {
    EXPECT_GE(done, last);
    last = done;
    return absl::OkStatus();
  };
  ASSERT_OK(Decode(executor));
  EXPECT_EQ(last, 10);

  answers_.clear();
  on_step_ = [&](int64_t done) {
    return done >= 3 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  EXPECT_THAT(Decode(executor),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("enough")));
  EXPECT_LT(answers_.size(), 10u);
}

}  // namespace
}  // namespace alignsae
