// SweepAlpha over a real channel.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/grpc/services_fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class SweepTest : public ServicesTest {
 protected:
  static v1::SweepAlphaRequest Request(const std::string& more = "",
                                       int tokens = 4) {
    return FromText<v1::SweepAlphaRequest>(
        "prompt { token_ids { ids: [5, 6, 7] } } targets { name: 'city' } "
        "targets { name: 'job' } alphas: [0.5, 1, 2] generation { "
        "max_new_tokens: " +
        std::to_string(tokens) + " " + more + " }");
  }
};

TEST_F(SweepTest, EveryCellIsOneMessageWithItsReceipt) {
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->SweepAlpha(&context, Request());
  std::vector<v1::SweepAlphaResponse> events;
  v1::SweepAlphaResponse event;
  while (reader->Read(&event)) events.push_back(event);
  ASSERT_TRUE(reader->Finish().ok());
  ASSERT_THAT(events, SizeIs(1 + 7 + 1));
  ASSERT_TRUE(events.front().has_started());
  EXPECT_EQ(events.front().started().cell_count(), 7);
  EXPECT_EQ(events.front().started().prompt_token_ids_size(), 3);
  ASSERT_TRUE(events.back().has_summary());
  EXPECT_EQ(events.back().summary().cell_count(), 7);
  EXPECT_EQ(events.back().summary().generated_token_count(), 7 * 4);
  std::map<int, v1::SweepCell> cells;
  for (const v1::SweepAlphaResponse& each : events) {
    if (each.has_cell()) cells[each.cell().index()] = each.cell();
  }
  ASSERT_THAT(cells, SizeIs(7));
  EXPECT_TRUE(cells[0].baseline());
  EXPECT_EQ(cells[0].result().receipts_size(), 0);
  const std::vector<int32_t> expected =
      FakeStepExecutor::Continue({5, 6, 7}, 4);
  const double alphas[] = {0.5, 1, 2};
  for (const auto& [index, cell] : cells) {
    ASSERT_EQ(cell.result().tokens_size(), 4);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(cell.result().tokens(i).id(), expected[i]);
    }
    EXPECT_DOUBLE_EQ(cell.result().total_logprob(), -2);
    if (index == 0) continue;
    EXPECT_EQ(cell.target(), index <= 3 ? "city" : "job");
    EXPECT_EQ(cell.target_index(), (index - 1) / 3);
    EXPECT_EQ(cell.alpha(), alphas[(index - 1) % 3]);
    ASSERT_EQ(cell.result().receipts_size(), 1);
    EXPECT_EQ(cell.result().receipts(0).alpha(), cell.alpha());
    EXPECT_EQ(cell.result().receipts(0).positions_applied(), 1);
  }
  EXPECT_TRUE(Reaches("alignsae_forks_total", "5"));  // 4 slots: 3 and 2.
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

TEST_F(SweepTest, CancelFreesEverySlot) {
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(5)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  grpc::ClientContext context;
  auto reader =
      steering_stub_->SweepAlpha(&context, Request("ignore_eos: true", 60));
  v1::SweepAlphaResponse event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_TRUE(Reaches("alignsae_kv_slots_in_use", "4"));
  context.TryCancel();
  while (reader->Read(&event)) EXPECT_FALSE(event.has_summary());
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"CANCELLED\",method=\""
              "SteeringService/SweepAlpha\"}",
              "1"));
}

TEST_F(SweepTest, CellThatOverflowsEndsTheSweepWithItsReason) {
  executor_.row_status = [](const StepRow& row) {
    return row.interventions->empty() || row.interventions->front().alpha < 2
               ? absl::OkStatus()
               : absl::OutOfRangeError(
                     "interventions: must leave the logits "
                     "finite");
  };
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->SweepAlpha(&context, Request());
  v1::SweepAlphaResponse event;
  while (reader->Read(&event)) EXPECT_FALSE(event.has_summary());
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_THAT(status.error_message(), HasSubstr("logits finite"));
  EXPECT_EQ(InfoOf(status).reason(), "NON_FINITE_LOGITS");
}

TEST_F(SweepTest, BadClientIdIsRefused) {
  Load();
  grpc::ClientContext context;
  context.AddMetadata("x-client-id", std::string(129, 'x'));
  auto reader = steering_stub_->SweepAlpha(&context, Request());
  v1::SweepAlphaResponse event;
  EXPECT_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "x-client-id: must have at most 128 bytes, got 129");
}

}  // namespace
}  // namespace alignsae
