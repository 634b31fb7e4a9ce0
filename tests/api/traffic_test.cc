// What the metrics say after traffic that is known to the token.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/api/concept_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "server/process/log.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class TrafficTest : public ApiTest {
 protected:
  absl::StatusCode Finish(const std::string& request) {
    v1::CompleteResponse response;
    return Run(&Complete, MakeCall(kRpcComplete),
               FromText<v1::CompleteRequest>(request), &response)
        .code;
  }
  // Each series has its value, at once or soon.
  void ExpectSeries(
      const std::vector<std::pair<std::string, std::string>>& wanted) {
    for (const auto& [series, value] : wanted) {
      EXPECT_TRUE(Reaches("alignsae_" + series, value))
          << series << ": " << Metric("alignsae_" + series) << ", not "
          << value;
    }
  }
};

TEST_F(TrafficTest, EveryCounterHasItsExactValue) {
  EXPECT_EQ(Finish("prompt { text: 'a' }"), absl::StatusCode::kUnavailable);
  Load();
  // Two readouts of two and three tokens.
  v1::ReadConceptsResponse read;
  EXPECT_EQ(Run(&ReadConcepts, MakeCall(kRpcReadConcepts),
                FromText<v1::ReadConceptsRequest>(
                    "prompts { token_ids { ids: 5 ids: 6 } } prompts { "
                    "token_ids { ids: 7 ids: 8 ids: 9 } }"),
                &read)
                .code,
            absl::StatusCode::kOk);
  // Three tokens after two, and two after two with one edit of one position.
  EXPECT_EQ(Finish("prompt { token_ids { ids: 5 ids: 6 } } generation { "
                   "max_new_tokens: 3 }"),
            absl::StatusCode::kOk);
  EXPECT_EQ(Finish("prompt { token_ids { ids: 7 ids: 6 } } interventions { "
                   "mode: INTERVENTION_MODE_ADD target { slot: 1 } alpha: 3 } "
                   "generation { max_new_tokens: 2 }"),
            absl::StatusCode::kOk);
  EXPECT_EQ(Finish("prompt { text: 'a' } generation { top_k: -1 }"),
            absl::StatusCode::kInvalidArgument);

  const std::string complete = "method=\"SteeringService/Complete\"";
  ExpectSeries(
      {{"rpc_requests_total{code=\"OK\"," + complete + "}", "2"},
       {"rpc_requests_total{code=\"INVALID_ARGUMENT\"," + complete + "}", "1"},
       {"rpc_requests_total{code=\"UNAVAILABLE\"," + complete + "}", "1"},
       {"rpc_duration_seconds_count{" + complete + "}", "4"},
       {"rpc_in_flight{" + complete + "}", "0"},
       {"rpc_requests_total{code=\"OK\",method=\"ConceptService/"
        "ReadConcepts\"}",
        "1"},
       {"rpc_requests_total{code=\"OK\",method=\"SteeringService/Swap\"}", "0"},
       {"rejected_total{reason=\"starting\"}", "1"},
       {"rejected_total{reason=\"draining\"}", "0"},
       {"rejected_total{reason=\"queue_full\"}", "0"}});
  ExpectSeries({{"prompt_tokens_total", "9"},
                {"generated_tokens_total", "5"},
                {"forks_total", "0"},
                {"prefix_tokens_saved_total", "0"},
                {"queue_depth", "0"},
                {"queue_wait_seconds_count", "4"},
                {"time_to_first_token_seconds_count", "2"},
                {"time_per_output_token_seconds_count", "2"},
                {"kv_slots", "4"},
                {"kv_slots_in_use", "0"}});
  // alpha is what the fake engine calls the change of a residual of norm 2.
  ExpectSeries({{"steering_total{mode=\"ADD\"}", "1"},
                {"steering_total{mode=\"SWAP\"}", "0"},
                {"steering_norm_ratio_count", "1"},
                {"steering_norm_ratio_sum", "1.5"}});
  int rows = 0;
  for (const std::vector<StepRow>& step : executor_.steps) {
    rows += static_cast<int>(step.size());
  }
  // One row a readout, and one a token: the prompt's row gives the first.
  EXPECT_EQ(rows, 2 + 3 + 2);
  ExpectSeries(
      {{"step_rows_sum", absl::StrCat(rows)},
       {"step_rows_count", absl::StrCat(executor_.steps.size())},
       {"step_duration_seconds_count", absl::StrCat(executor_.steps.size())}});
}

TEST_F(TrafficTest, ACallsLogLineTellsItsTokensAndItsEnd) {
  InitLogging("info");
  Load();
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(Finish("prompt { token_ids { ids: 5 ids: 6 } } arms: "
                   "ARM_SELECTION_BOTH interventions { mode: "
                   "INTERVENTION_MODE_ADD target { slot: 1 } } generation { "
                   "max_new_tokens: 3 }"),
            absl::StatusCode::kOk);
  EXPECT_EQ(Finish("prompt { text: 'secret' } generation { top_k: -1 }"),
            absl::StatusCode::kInvalidArgument);
  lanes_.Stop();  // The lines are made there, and written by a thread.
  ASSERT_TRUE(FlushLog(absl::Seconds(10)));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("event=rpc method=SteeringService/Complete"));
  EXPECT_THAT(log, ContainsRegex("code=OK duration_ms=[0-9.]+ prompt_tokens=4 "
                                 "generated_tokens=6\n"));
  EXPECT_THAT(log, ContainsRegex("code=INVALID_ARGUMENT duration_ms=[0-9.e-]+ "
                                 "prompt_tokens=0 generated_tokens=0 "
                                 "reason=INVALID_FIELD\n"));
  EXPECT_THAT(log, Not(HasSubstr("secret")));
}

TEST_F(TrafficTest, EveryPromptThatPassesAHookIsReadThereOnce) {
  Load();
  EXPECT_EQ(Finish("prompt { token_ids { ids: 5 ids: 6 } } generation { "
                   "max_new_tokens: 3 }"),
            absl::StatusCode::kOk);
  for (const char* checkpoint : {"main", "whole"}) {
    int tops = 0;
    for (const char* name : {"city", "job", "none"}) {
      int value = 0;
      ASSERT_TRUE(absl::SimpleAtoi(
          Metric(absl::StrCat("alignsae_concept_top_total{checkpoint=\"",
                              checkpoint, "\",concept=\"", name, "\"}")),
          &value));
      tops += value;
    }
    EXPECT_EQ(tops, 1) << checkpoint;
    for (const char* name : {"city", "job"}) {
      EXPECT_EQ(Metric(absl::StrCat("alignsae_slot_activation_ratio_count{"
                                    "checkpoint=\"",
                                    checkpoint, "\",concept=\"", name, "\"}")),
                "1");
    }
  }
}

}  // namespace
}  // namespace alignsae
