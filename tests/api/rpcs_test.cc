// The functions of the API, called as a transport would.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/api/concept_rpcs.h"
#include "server/api/model_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAreArray;
using ::testing::SizeIs;

using RpcsTest = ApiTest;

TEST_F(RpcsTest, UntilAModelIsLoadedEveryFunctionIsUnavailable) {
  v1::GetModelResponse model;
  EXPECT_EQ(
      Run(&GetModel, MakeCall(kRpcGetModel), v1::GetModelRequest(), &model)
          .code,
      absl::StatusCode::kUnavailable);
  v1::SwapResponse swap;
  const WireStatus status =
      Run(&Swap, MakeCall(kRpcSwap), v1::SwapRequest(), &swap);
  EXPECT_EQ(status.code, absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message, "server: is loading the model");
  EXPECT_NE(status.retry_pushback, "");
  EXPECT_EQ(RunStream(&Generate, MakeCall(kRpcGenerate), v1::GenerateRequest())
                ->status.code,
            absl::StatusCode::kUnavailable);
}

TEST_F(RpcsTest, ModelFunctionsAnswer) {
  Load();
  v1::GetModelResponse model;
  EXPECT_EQ(
      Run(&GetModel, MakeCall(kRpcGetModel), v1::GetModelRequest(), &model)
          .code,
      absl::StatusCode::kOk);
  EXPECT_EQ(model.model().name(), "small");
  v1::ListConceptsResponse concepts;
  EXPECT_EQ(Run(&ListConcepts, MakeCall(kRpcListConcepts),
                v1::ListConceptsRequest(), &concepts)
                .code,
            absl::StatusCode::kOk);
  EXPECT_EQ(concepts.checkpoints_size(), 2);
  const v1::WriteCertificate& certificate =
      concepts.checkpoints(0).concepts(0).certificate();
  EXPECT_EQ(certificate.cosine(), 0.9);
  EXPECT_EQ(certificate.written_share(), 0.8);
  EXPECT_EQ(certificate.predicted_alpha(), 1.25);
  const v1::MeasuredSwap& swap = certificate.measured_swap();
  EXPECT_EQ(swap.tries(), 100);
  EXPECT_EQ(swap.successes(), 90);
  EXPECT_EQ(swap.rate(), 0.9);
  EXPECT_NEAR(swap.low(), 0.8256, 1e-4);
  EXPECT_NEAR(swap.high(), 0.9448, 1e-4);
  EXPECT_EQ(swap.wordings(), 10);
  EXPECT_EQ(swap.people(), 20);
  EXPECT_FALSE(concepts.checkpoints(0).concepts(1).has_certificate());
  v1::TokenizeResponse tokens;
  EXPECT_EQ(Run(&Tokenize, MakeCall(kRpcTokenize),
                FromText<v1::TokenizeRequest>("text: 'a the'"), &tokens)
                .code,
            absl::StatusCode::kOk);
  ASSERT_EQ(tokens.tokens_size(), 2);
  v1::DetokenizeRequest ids;
  for (const v1::TokenPiece& token : tokens.tokens()) {
    ids.add_token_ids(token.id());
  }
  v1::DetokenizeResponse text;
  EXPECT_EQ(Run(&Detokenize, MakeCall(kRpcDetokenize), ids, &text).code,
            absl::StatusCode::kOk);
  EXPECT_EQ(text.text(), "a the");
}

TEST_F(RpcsTest, ReadoutsAnswer) {
  Load();
  v1::ReadConceptsResponse read;
  EXPECT_EQ(Run(&ReadConcepts, MakeCall(kRpcReadConcepts),
                FromText<v1::ReadConceptsRequest>(
                    "prompts { token_ids { ids: 5 ids: 6 } } prompts { "
                    "token_ids { ids: 7 } }"),
                &read)
                .code,
            absl::StatusCode::kOk);
  ASSERT_EQ(read.readings_size(), 2);
  EXPECT_THAT(read.readings(0).prompt_token_ids(), testing::ElementsAre(5, 6));
  EXPECT_EQ(read.readings(0).reading().position(), 1);
  EXPECT_EQ(read.prompt_token_count(), 3);
  v1::InspectSlotsResponse slots;
  EXPECT_EQ(Run(&InspectSlots, MakeCall(kRpcInspectSlots),
                FromText<v1::InspectSlotsRequest>(
                    "prompt { token_ids { ids: 5 ids: 6 } } checkpoint: "
                    "'whole'"),
                &slots)
                .code,
            absl::StatusCode::kOk);
  ASSERT_EQ(slots.tokens_size(), 2);
  EXPECT_EQ(slots.tokens(1).token_id(), 6);
  EXPECT_EQ(slots.tokens(1).features().top_features_size(), 10);
}

TEST_F(RpcsTest, ASwapEchoesTheCallAndSaysWhatTheModelSaid) {
  Load();
  Caller caller;
  caller.request_id = "r-5";
  v1::SwapResponse swap;
  EXPECT_EQ(Run(&Swap, MakeCall(kRpcSwap, caller),
                FromText<v1::SwapRequest>(
                    "prompt { token_ids { ids: 5 ids: 6 } } target { name: "
                    "'job' } generation { max_new_tokens: 3 seed: 9 }"),
                &swap)
                .code,
            absl::StatusCode::kOk);
  EXPECT_EQ(swap.info().request_id(), "r-5");
  EXPECT_EQ(swap.seed(), 9u);
  EXPECT_EQ(swap.prompt_token_count(), 2);
  std::vector<int32_t> ids;
  for (const v1::Token& token : swap.baseline().tokens()) {
    ids.push_back(token.id());
  }
  EXPECT_THAT(ids, ElementsAreArray(FakeStepExecutor::Continue({5, 6}, 3)));
  ASSERT_EQ(swap.steered().receipts_size(), 1);
  EXPECT_EQ(swap.steered().receipts(0).alpha(), 1.25);
}

TEST_F(RpcsTest, ARefusalNamesTheFieldAndCarriesTheRequestId) {
  Load();
  Caller caller;
  caller.request_id = "r-6";
  v1::CompleteResponse response;
  const WireStatus status =
      Run(&Complete, MakeCall(kRpcComplete, caller),
          FromText<v1::CompleteRequest>(
              "prompt { text: 'a' } generation { top_p: 1.5 }"),
          &response);
  EXPECT_EQ(status.code, absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message, "generation.top_p: must be in (0, 1], got 1.5");
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(details.ParseFromString(status.details));
  ASSERT_EQ(details.details_size(), 1);
  ASSERT_TRUE(details.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "INVALID_FIELD");
  EXPECT_EQ(info.metadata().at("request_id"), "r-6");
}

TEST_F(RpcsTest, AStreamIsStartedTokensArmsSummary) {
  Load();
  const auto sink = RunStream(
      &Generate, MakeCall(kRpcGenerate),
      FromText<v1::GenerateRequest>("prompt { token_ids { ids: 5 ids: 6 } } "
                                    "generation { max_new_tokens: 3 }"));
  EXPECT_EQ(sink->status.code, absl::StatusCode::kOk);
  ASSERT_THAT(sink->messages, SizeIs(6));
  EXPECT_THAT(sink->messages[0].started().prompt_token_ids(),
              testing::ElementsAre(5, 6));
  std::string text;
  for (int i = 1; i <= 3; ++i) text += sink->messages[i].token().text();
  EXPECT_TRUE(sink->messages[4].has_arm_finished());
  const v1::GenerationSummary& summary = sink->messages[5].summary();
  EXPECT_EQ(summary.prompt_token_count(), 2);
  EXPECT_EQ(summary.arms(0).text(),
            text + sink->messages[4].arm_finished().text_tail());
  EXPECT_EQ(sink->give_ups, 1);
}

TEST_F(RpcsTest, ASweepGivesEveryCell) {
  Load();
  const auto sink = RunStream(
      &SweepAlpha, MakeCall(kRpcSweepAlpha),
      FromText<v1::SweepAlphaRequest>(
          "prompt { token_ids { ids: 5 } } targets { slot: 0 } targets { slot: "
          "1 } alphas: [1, 2] generation { max_new_tokens: 2 }"));
  EXPECT_EQ(sink->status.code, absl::StatusCode::kOk);
  ASSERT_THAT(sink->messages, SizeIs(7));
  EXPECT_EQ(sink->messages[0].started().cell_count(), 5);
  const v1::SweepSummary& summary = sink->messages[6].summary();
  EXPECT_EQ(summary.cell_count(), 5);
  EXPECT_EQ(summary.prompt_token_count(), 1);
  EXPECT_EQ(summary.generated_token_count(), 10);
}

TEST_F(RpcsTest, ATransportThatIsGoneEndsTheStreamAsCancelled) {
  Load();
  // Ends the call at the first token.
  class GoneSink final : public StreamSink<v1::GenerateResponse> {
   public:
    explicit GoneSink(Lanes* lanes) : lanes_(lanes) {}
    void Write(const v1::GenerateResponse&) override {
      lanes_->interactive.Schedule([stream = stream.lock()] {
        if (stream != nullptr) stream->OnWritten(false);
      });
    }
    void Finish(const v1::GenerateResponse* summary,
                const WireStatus& end) override {
      has_summary = summary != nullptr;
      status = end;
      ended.Notify();
    }
    void GiveUpAfter(absl::Duration) override {}
    std::weak_ptr<ModelStream<v1::GenerateResponse>> stream;
    WireStatus status;
    bool has_summary = false;
    absl::Notification ended;

   private:
    Lanes* const lanes_;
  };
  const auto request = FromText<v1::GenerateRequest>(
      "prompt { token_ids { ids: 5 } } generation { max_new_tokens: 60 }");
  const auto sink = std::make_shared<GoneSink>(&lanes_);
  const auto stream = Generate(MakeCall(kRpcGenerate), &request, sink);
  sink->stream = stream;
  stream->Begin();
  sink->ended.WaitForNotification();
  EXPECT_EQ(sink->status.code, absl::StatusCode::kCancelled);
  EXPECT_FALSE(sink->has_summary);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

}  // namespace
}  // namespace alignsae
