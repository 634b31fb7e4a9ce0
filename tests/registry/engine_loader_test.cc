// What a model runs before it serves.

#include "server/registry/engine_loader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/fake_step_executor.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

TEST(WarmUpTest, RunsAPromptAndADecodeStepWithinTheContext) {
  struct Case {
    int context;
    int prompt_tokens;
    int prompt;  // What fits, beside one token more.
  };
  for (const Case& c : {Case{64, 512, 63}, Case{64, 64, 63}, Case{64, 63, 63},
                        Case{64, 10, 10}, Case{2, 512, 1}}) {
    FakeStepExecutor executor(2);
    EXPECT_OK(WarmUp(executor, c.context, 97, c.prompt_tokens));
    ASSERT_EQ(executor.steps.size(), 2u);
    ASSERT_EQ(executor.steps[0].size(), 1u);
    const StepRow& prompt = executor.steps[0][0];
    EXPECT_EQ(prompt.start, 0);
    EXPECT_EQ(static_cast<int>(prompt.tokens.size()), c.prompt);
    EXPECT_EQ(prompt.prompt_length, c.prompt);
    EXPECT_TRUE(prompt.sampling.has_value());
    ASSERT_EQ(executor.steps[1].size(), 1u);
    const StepRow& decode = executor.steps[1][0];
    EXPECT_EQ(decode.start, c.prompt);
    EXPECT_EQ(decode.tokens.size(), 1u);
    EXPECT_EQ(decode.prompt_length, c.prompt);
  }
}

TEST(WarmUpTest, AModelThatCannotRunSaysSo) {
  for (const int fails : {0, 1}) {
    FakeStepExecutor executor(2);
    executor.row_status = [&](const StepRow& row) {
      return (row.start > 0) == (fails == 1) ? absl::InternalError("broken")
                                             : absl::OkStatus();
    };
    EXPECT_EQ(WarmUp(executor, 64, 97, 10), absl::InternalError("broken"));
    EXPECT_EQ(executor.steps.size(), fails == 1 ? 2u : 1u);
  }
}

TEST(WarmUpTest, AModelThatTellsNoTokensApartIsRefused) {
  // A step of the fake says that its token has a probability of exp(-0.5).
  FakeStepExecutor executor(2);
  EXPECT_OK(WarmUp(executor, 64, 2, 10));
  EXPECT_OK(WarmUp(executor, 64, 1, 10));  // There is nothing to tell apart.
  executor.logprob = -std::log(97.0f);
  EXPECT_THAT(WarmUp(executor, 64, 97, 10),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "model: must find some token more likely than others, "
                       "got the same probability for all 97; are the weights "
                       "zeros?"));
}

}  // namespace
}  // namespace alignsae
