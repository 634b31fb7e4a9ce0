// SwapMatrix and FindAlpha without a transport. The fake's answers do not
// depend on an intervention unless a test says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/api/find_alpha.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::SizeIs;

class SearchRpcsTest : public ApiTest {
 protected:
  // After a prompt of two tokens: "ok" and the end of the text where `good`
  // says so of the alpha, "no" and the end elsewhere.
  void AnswerBy(const std::function<bool(double alpha)>& good) {
    executor_.row_status = [this](const StepRow& row) {
      asked_ =
          row.interventions->empty() ? 0 : row.interventions->front().alpha;
      return absl::OkStatus();
    };
    const std::vector<int32_t> ok = tokenizer_->Encode("ok");
    const std::vector<int32_t> no = tokenizer_->Encode("no");
    executor_.next_token = [=, this](const std::vector<int32_t>& ids) {
      const std::vector<int32_t>& said = good(asked_) ? ok : no;
      const size_t at = ids.size() - 2;
      return at < said.size() ? said[at] : 259;
    };
  }
  WireStatus Find(const std::string& request, v1::FindAlphaResponse* answer,
                  Caller caller = {}) {
    return Run(&FindAlpha, MakeCall(kRpcFindAlpha, caller),
               FromText<v1::FindAlphaRequest>(request), answer);
  }

  double asked_ = 0;  // Of the row that the fake runs.
};

constexpr char kTwo[] =
    "prompt { token_ids { ids: 5 ids: 6 } } target { name: 'job' } "
    "source { name: 'city' } ";

TEST_F(SearchRpcsTest, AMatrixSaysWhatSingleSwapsSay) {
  Load();
  // Answers that depend on the concepts that are cleared and put in.
  executor_.row_status = [this](const StepRow& row) {
    asked_ = row.interventions->empty()
                 ? 0
                 : 1 + row.interventions->front().target_slot;
    return absl::OkStatus();
  };
  executor_.next_token = [this](const std::vector<int32_t>& ids) {
    return (FakeStepExecutor::NextToken(ids) +
            7 * static_cast<int32_t>(asked_)) %
               90 +
           1;
  };
  const auto sink = RunStream(
      &SwapMatrix, MakeCall(kRpcSwapMatrix),
      FromText<v1::SwapMatrixRequest>(
          "prompt { token_ids { ids: 5 ids: 6 } } generation { max_new_tokens: "
          "3 } targets { key: 'job' value: 'x' }"));
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  ASSERT_THAT(sink->messages, SizeIs(5));
  const v1::SwapMatrixStarted& started = sink->messages[0].started();
  EXPECT_EQ(started.cell_count(), 3);
  ASSERT_EQ(started.swapped_size(), 2);
  EXPECT_EQ(started.swapped(0).name(), "city");
  EXPECT_EQ(started.swapped(1).active_mean(), 1.5);
  std::map<int, v1::SwapMatrixCell> cells;
  for (int i = 1; i < 4; ++i) {
    cells[sink->messages[i].cell().index()] = sink->messages[i].cell();
  }
  ASSERT_THAT(cells, SizeIs(3));
  EXPECT_TRUE(cells[0].baseline());
  for (int index : {1, 2}) {
    const v1::SwapMatrixCell& cell = cells[index];
    EXPECT_EQ(cell.source_index(), index - 1);
    EXPECT_EQ(cell.target_index(), 2 - index);
    EXPECT_EQ(cell.source(), started.swapped(index - 1).name());
    v1::SwapResponse alone;
    EXPECT_EQ(
        Run(&Swap, MakeCall(kRpcSwap),
            FromText<v1::SwapRequest>(absl::StrCat(
                "prompt { token_ids { ids: 5 ids: 6 } } generation { "
                "max_new_tokens: 3 } source { name: '",
                cell.source(), "' } target { name: '", cell.target(), "' }")),
            &alone)
            .code,
        absl::StatusCode::kOk);
    const auto ids = [](const v1::ArmResult& arm) {
      std::vector<int32_t> found;
      for (const v1::Token& token : arm.tokens()) found.push_back(token.id());
      return found;
    };
    EXPECT_THAT(ids(cell.result()), SizeIs(3));
    EXPECT_EQ(ids(cell.result()), ids(alone.steered()));
    EXPECT_EQ(ids(cells[0].result()), ids(alone.baseline()));
    EXPECT_EQ(cell.result().receipts(0).alpha(), 1.25);
    EXPECT_EQ(cell.result().receipts(0).source_concept(), cell.source());
    EXPECT_EQ(cell.result().receipts(0).receipt_id().size(), 16u);
  }
  EXPECT_FALSE(cells[0].has_matches());
  EXPECT_TRUE(cells[1].has_matches());  // To "job".
  EXPECT_FALSE(cells[1].matches());
  EXPECT_FALSE(cells[2].has_matches());
  const v1::SwapMatrixSummary& summary = sink->messages[4].summary();
  EXPECT_EQ(summary.cell_count(), 3);
  EXPECT_EQ(summary.prompt_token_count(), 2);
  EXPECT_EQ(summary.generated_token_count(), 9);
  EXPECT_EQ(summary.expected_count(), 1);
  EXPECT_EQ(summary.matched_count(), 0);
}

TEST_F(SearchRpcsTest, AMatrixCountsWhatMatches) {
  Load();
  AnswerBy([](double alpha) { return alpha > 0; });
  const auto sink = RunStream(
      &SwapMatrix, MakeCall(kRpcSwapMatrix),
      FromText<v1::SwapMatrixRequest>(
          "prompt { token_ids { ids: 5 ids: 6 } } targets { key: 'job' value: "
          "' OK' } targets { key: 'city' value: 'no' }"));
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  const v1::SwapMatrixSummary& summary = sink->messages.back().summary();
  EXPECT_EQ(summary.expected_count(), 2);
  EXPECT_EQ(summary.matched_count(), 1);
}

// The fake reads 6 and 0.25 at the last token, whatever is edited.
constexpr char kNowhere[] = "when { slot { name: 'job' } above: 0.25 } ";
constexpr char kHolds[] = "when { slot { name: 'job' } above: 0.125 } ";

void ExpectNotEdited(const v1::ArmResult& arm) {
  ASSERT_EQ(arm.receipts_size(), 1);
  EXPECT_TRUE(arm.receipts(0).has_condition());
  EXPECT_FALSE(arm.receipts(0).condition());
  EXPECT_EQ(arm.receipts(0).positions_checked(), 1);
  EXPECT_EQ(arm.receipts(0).positions_applied(), 0);
}

TEST_F(SearchRpcsTest, ACellWhoseConditionHoldsNowhereIsNotEdited) {
  Load();
  const auto sweep = [this](const std::string& when) {
    const auto sink = RunStream(
        &SweepAlpha, MakeCall(kRpcSweepAlpha),
        FromText<v1::SweepAlphaRequest>(
            "prompt { token_ids { ids: 5 ids: 6 } } targets { name: 'job' } "
            "alphas: [1, 2] generation { max_new_tokens: 2 } " +
            when));
    EXPECT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
    return sink->messages;
  };
  int cells = 0;
  for (const v1::SweepAlphaResponse& message : sweep(kNowhere)) {
    if (!message.has_cell() || message.cell().baseline()) continue;
    ExpectNotEdited(message.cell().result());
    ++cells;
  }
  EXPECT_EQ(cells, 2);
  for (const v1::SweepAlphaResponse& message : sweep(kHolds)) {
    if (!message.has_cell() || message.cell().baseline()) continue;
    EXPECT_TRUE(message.cell().result().receipts(0).condition());
    EXPECT_EQ(message.cell().result().receipts(0).positions_applied(), 1);
  }
}

TEST_F(SearchRpcsTest, APairWhoseConditionHoldsNowhereIsNotEdited) {
  Load();
  const auto sink = RunStream(
      &SwapMatrix, MakeCall(kRpcSwapMatrix),
      FromText<v1::SwapMatrixRequest>(
          std::string("prompt { token_ids { ids: 5 ids: 6 } } generation { "
                      "max_new_tokens: 2 } ") +
          kNowhere));
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  ASSERT_THAT(sink->messages, SizeIs(5));
  for (int i = 1; i < 4; ++i) {
    const v1::SwapMatrixCell& cell = sink->messages[i].cell();
    if (!cell.baseline()) ExpectNotEdited(cell.result());
  }
}

TEST_F(SearchRpcsTest, ATryWhoseConditionHoldsNowhereIsNotEdited) {
  Load();
  v1::FindAlphaResponse answer;
  const WireStatus status = Find(
      absl::StrCat(kTwo, kNowhere, "goal { target_on_top: true } max_tries: 3"),
      &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_FALSE(answer.has_smallest());
  ASSERT_EQ(answer.tries_size(), 3);
  for (const v1::AlphaTry& tried : answer.tries()) {
    ExpectNotEdited(tried.result());
    EXPECT_FALSE(tried.reached());
  }
}

TEST_F(SearchRpcsTest, AnAlphaIsFoundInRoundsOfForks) {
  Load();
  AnswerBy([](double alpha) { return alpha >= 0.7 && alpha <= 3.3; });
  v1::FindAlphaResponse answer;
  Caller caller;
  caller.request_id = "r-9";
  const WireStatus status =
      Find(absl::StrCat(kTwo,
                        "goal { answer: 'OK' } generation { max_new_tokens: "
                        "4 seed: 9 }"),
           &answer, caller);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_EQ(answer.info().request_id(), "r-9");
  EXPECT_EQ(answer.seed(), 9u);
  EXPECT_THAT(answer.prompt_token_ids(), ElementsAre(5, 6));
  EXPECT_FALSE(answer.baseline_reaches());
  EXPECT_EQ(answer.baseline().text(), "no");
  EXPECT_EQ(answer.rounds(), 3);
  EXPECT_TRUE(answer.exact());
  ASSERT_EQ(answer.tries_size(), 21);
  std::vector<double> reached;
  double last = 0;
  for (const v1::AlphaTry& tried : answer.tries()) {
    EXPECT_GT(tried.alpha(), last);
    last = tried.alpha();
    EXPECT_EQ(tried.result().receipts(0).alpha(), tried.alpha());
    EXPECT_EQ(tried.result().text(), tried.reached() ? "ok" : "no");
    if (tried.reached()) reached.push_back(tried.alpha());
  }
  EXPECT_EQ(answer.smallest(), reached.front());
  EXPECT_EQ(answer.largest(), reached.back());
  EXPECT_LE(answer.smallest(), 0.7 * 1.05);
  EXPECT_GE(answer.largest(), 3.3 / 1.05);
  // Variants of one prompt: a step of a round has rows of one fork.
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"OK\",method="
              "\"SteeringService/FindAlpha\"}",
              "1"));
  EXPECT_TRUE(Reaches("alignsae_steering_total{mode=\"SWAP\"}", "21"));
  EXPECT_NE(Metric("alignsae_forks_total"), "0");
}

TEST_F(SearchRpcsTest, AFirstTokenIsAGoalToo) {
  Load();
  AnswerBy([](double alpha) { return alpha >= 0.1; });
  const int32_t o = tokenizer_->Encode("ok").front();
  v1::FindAlphaResponse answer;
  const WireStatus status =
      Find(absl::StrCat(kTwo, "goal { first_token: ", o,
                        " } min_alpha: 0.2 max_alpha: 2 max_tries: 3"),
           &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_EQ(answer.smallest(), 0.2);
  EXPECT_EQ(answer.largest(), 2);
  EXPECT_TRUE(answer.open_below());
  EXPECT_TRUE(answer.open_above());
  EXPECT_EQ(answer.tries_size(), 3);
}

TEST_F(SearchRpcsTest, AGoalThatIsNeverReachedIsNoError) {
  Load();
  AnswerBy([](double alpha) { return false; });
  v1::FindAlphaResponse answer;
  const WireStatus status =
      Find(absl::StrCat(kTwo, "goal { answer: 'ok' } max_tries: 12"), &answer);
  ASSERT_EQ(status.code, absl::StatusCode::kOk) << status.message;
  EXPECT_FALSE(answer.has_smallest());
  EXPECT_FALSE(answer.has_largest());
  EXPECT_FALSE(answer.exact());
  EXPECT_EQ(answer.tries_size(), 12);
  EXPECT_EQ(answer.rounds(), 2);
}

TEST_F(SearchRpcsTest, ACancelIsSeenBetweenRounds) {
  Load();
  AnswerBy([](double alpha) { return alpha > 1; });
  const auto call = MakeCall(kRpcFindAlpha);
  std::atomic<int> steps{0};
  executor_.before_step = [&] {
    if (++steps == 2) call->Cancel();
    // Longer than a busy machine takes to see it.
    if (steps > 2) absl::SleepFor(absl::Milliseconds(50));
  };
  v1::FindAlphaResponse answer;
  const WireStatus status = Run(&FindAlpha, call,
                                FromText<v1::FindAlphaRequest>(absl::StrCat(
                                    kTwo, "goal { answer: 'ok' }")),
                                &answer);
  EXPECT_EQ(status.code, absl::StatusCode::kCancelled);
  EXPECT_LT(steps, 6);  // A round alone has nine alphas in four KV slots.
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

TEST_F(SearchRpcsTest, ADeadlineEndsASearchThatHasNotEnded) {
  Load();
  AnswerBy([](double alpha) { return alpha > 1; });
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(20)); };
  Caller caller;
  caller.deadline = absl::Now() + absl::Milliseconds(150);
  v1::FindAlphaResponse answer;
  const WireStatus status =
      Find(absl::StrCat(kTwo, "goal { answer: 'ok' } precision: 1.001"),
           &answer, caller);
  EXPECT_EQ(status.code, absl::StatusCode::kDeadlineExceeded) << status.message;
}

// As everything that runs.
TEST_F(SearchRpcsTest, ADrainLetsASearchEnd) {
  Load();
  AnswerBy([](double alpha) { return alpha > 1; });
  std::atomic<int> steps{0};
  executor_.before_step = [&] {
    if (++steps == 2) registry_.RefuseNew();
  };
  v1::FindAlphaResponse answer;
  const WireStatus status =
      Find(absl::StrCat(kTwo, "goal { answer: 'ok' }"), &answer);
  EXPECT_EQ(status.code, absl::StatusCode::kOk);
  EXPECT_GT(answer.rounds(), 1);
}

TEST_F(SearchRpcsTest, ARefusalNamesTheField) {
  Load();
  v1::FindAlphaResponse answer;
  WireStatus status = Find(absl::StrCat(kTwo, "precision: 9"), &answer);
  EXPECT_EQ(status.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      status.message,
      "goal: must name an answer, a first token or target_on_top, got none");
  env_.config.limits.max_send_message_bytes = 100000;
  status = Find(absl::StrCat(kTwo,
                             "goal { answer: 'x' } generation { "
                             "max_new_tokens: 60 top_logprobs: 20 } "
                             "max_tries: 128"),
                &answer);
  EXPECT_EQ(status.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.reason, "REPLY_TOO_LARGE");
  EXPECT_EQ(status.message.rfind("generation.max_new_tokens: must keep", 0), 0u)
      << status.message;
}

}  // namespace
}  // namespace alignsae
