// The services over a real gRPC channel, with the fake executor behind the
// scheduler: what calls answer, how they end, and that every one ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/grpc/services_fixture.h"
#include "tests/support/recording_sink.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST_F(ServicesTest, CallsAreUnavailableWhileTheModelIsLoading) {
  grpc::ClientContext unary, stream;
  v1::GetModelResponse response;
  grpc::Status status = model_stub_->GetModel(&unary, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "server: is loading the model");
  EXPECT_EQ(InfoOf(status).reason(), "STARTING");
  EXPECT_EQ(unary.GetServerTrailingMetadata().count("grpc-retry-pushback-ms"),
            1u);

  auto reader = steering_stub_->Generate(
      &stream, FromText<v1::GenerateRequest>("prompt { text: 'a' }"));
  v1::GenerateResponse event;
  EXPECT_FALSE(reader->Read(&event));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(Reaches("alignsae_rejected_total{reason=\"starting\"}", "2"));
}

TEST_F(ServicesTest, GetModelTellsTheCatalogAndTheLimits) {
  Load();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "mine");
  v1::GetModelResponse response;
  ASSERT_TRUE(model_stub_->GetModel(&context, {}, &response).ok());
  EXPECT_EQ(response.info().request_id(), "mine");
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second,
            "mine");
  EXPECT_EQ(response.info().checkpoint(), "main");
  EXPECT_EQ(response.bundle(), "small bundle");
  EXPECT_EQ(response.model().eos_token_id(), 259);
  EXPECT_THAT(response.model().eos_token_ids(), testing::ElementsAre(259));
  ASSERT_EQ(response.checkpoints_size(), 2);
  EXPECT_EQ(response.checkpoints(1).recommended_mode(),
            v1::INTERVENTION_MODE_SWAP);
  EXPECT_EQ(response.checkpoints(1).hook_point().kind(),
            v1::HOOK_KIND_RESID_POST);
  EXPECT_TRUE(response.checkpoints(1).whole_sae_loaded());
  EXPECT_EQ(response.limits().max_prompt_bytes(), 65536);
}

TEST_F(ServicesTest, ABadRequestIdIsRefused) {
  Load();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", std::string(129, 'x'));
  v1::GetModelResponse response;
  const grpc::Status status = model_stub_->GetModel(&context, {}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "x-request-id: must have at most 128 bytes, got 129");
}

TEST_F(ServicesTest, TokenizeAndDetokenizeAreInverse) {
  Load();
  grpc::ClientContext there, back;
  v1::TokenizeResponse tokens;
  ASSERT_TRUE(model_stub_
                  ->Tokenize(&there,
                             FromText<v1::TokenizeRequest>(
                                 "text: 'the<|endoftext|>\\303' parse_special: "
                                 "true"),
                             &tokens)
                  .ok() == false);  // Half a character is no proto3 string.
  grpc::ClientContext whole;
  ASSERT_TRUE(model_stub_
                  ->Tokenize(&whole,
                             FromText<v1::TokenizeRequest>(
                                 "text: 'the<|endoftext|>\\303\\251' "
                                 "parse_special: true"),
                             &tokens)
                  .ok());
  ASSERT_EQ(tokens.tokens_size(), 4);
  EXPECT_TRUE(tokens.tokens(1).special());
  EXPECT_EQ(tokens.tokens(2).byte_offset(), 16);
  v1::DetokenizeRequest request;
  for (const v1::TokenPiece& token : tokens.tokens()) {
    request.add_token_ids(token.id());
  }
  request.mutable_token_ids()->RemoveLast();  // Half of the character.
  v1::DetokenizeResponse text;
  ASSERT_TRUE(model_stub_->Detokenize(&back, request, &text).ok());
  EXPECT_EQ(text.raw(), "the<|endoftext|>\xc3");
  EXPECT_EQ(text.text(), "the<|endoftext|>\xef\xbf\xbd");
}

TEST_F(ServicesTest, ReadConceptsAnswersInOrder) {
  Load();
  grpc::ClientContext context;
  v1::ReadConceptsResponse response;
  ASSERT_TRUE(
      concept_stub_
          ->ReadConcepts(&context,
                         FromText<v1::ReadConceptsRequest>(
                             "prompts { token_ids { ids: 7 ids: 8 } } prompts "
                             "{ token_ids { ids: 9 } } checkpoint: 'whole'"),
                         &response)
          .ok());
  EXPECT_EQ(response.info().checkpoint(), "whole");
  EXPECT_EQ(response.hook_point().layer(), 2);
  EXPECT_EQ(response.prompt_token_count(), 3);
  ASSERT_EQ(response.concepts_size(), 2);
  EXPECT_EQ(response.concepts(1).name(), "job");
  ASSERT_EQ(response.readings_size(), 2);
  // The fake reads the token itself.
  EXPECT_THAT(response.readings(0).reading().values(), ElementsAre(8, 0.25));
  EXPECT_THAT(response.readings(1).reading().values(), ElementsAre(9, 0.25));
  EXPECT_EQ(response.readings(0).reading().top_concept(), "city");
  EXPECT_THAT(response.readings(0).prompt_token_ids(), ElementsAre(7, 8));
}

TEST_F(ServicesTest, InspectSlotsTellsEveryPosition) {
  Load();
  grpc::ClientContext context;
  v1::InspectSlotsResponse response;
  ASSERT_TRUE(concept_stub_
                  ->InspectSlots(&context,
                                 FromText<v1::InspectSlotsRequest>(
                                     "prompt { text: 'a the' } checkpoint: "
                                     "'whole' top_k: 2"),
                                 &response)
                  .ok());
  ASSERT_EQ(response.tokens_size(), 2);
  EXPECT_EQ(response.tokens(1).piece(), " the");
  EXPECT_EQ(response.tokens(1).reading().position(), 1);
  EXPECT_EQ(response.tokens(1).features().l0(), 5);
  EXPECT_EQ(response.tokens(1).features().top_features_size(), 2);
  EXPECT_EQ(response.top_k(), 2);
}

TEST_F(ServicesTest, InspectSlotsEncodesAllFeaturesAlsoWhenTopKIsNotGiven) {
  Load();
  grpc::ClientContext context;
  v1::InspectSlotsResponse response;
  ASSERT_TRUE(
      concept_stub_
          ->InspectSlots(&context,
                         FromText<v1::InspectSlotsRequest>(
                             "prompt { text: 'a' } checkpoint: 'whole'"),
                         &response)
          .ok());
  EXPECT_EQ(response.top_k(), 10);
  ASSERT_EQ(response.tokens_size(), 1);
  EXPECT_EQ(response.tokens(0).features().l0(), 5);
  EXPECT_EQ(response.tokens(0).features().top_features_size(), 10);
}

TEST_F(ServicesTest, SwapAnswersWithBothArmsAndOneReceipt) {
  Load();
  grpc::ClientContext context;
  v1::SwapResponse response;
  const grpc::Status status = steering_stub_->Swap(
      &context,
      FromText<v1::SwapRequest>(
          "prompt { token_ids { ids: 5 ids: 6 } } target { name: 'job' } "
          "generation { max_new_tokens: 3 seed: 9 top_logprobs: 2 }"),
      &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.seed(), 9u);
  EXPECT_EQ(response.baseline().arm(), v1::ARM_BASELINE);
  EXPECT_EQ(response.baseline().receipts_size(), 0);
  EXPECT_EQ(response.steered().arm(), v1::ARM_STEERED);
  EXPECT_EQ(response.steered().finish_reason(), v1::FINISH_REASON_LENGTH);
  std::vector<int32_t> ids;
  for (const v1::Token& token : response.steered().tokens()) {
    ids.push_back(token.id());
    EXPECT_EQ(token.top_logprobs_size(), 2);
  }
  EXPECT_EQ(ids, FakeStepExecutor::Continue({5, 6}, 3));
  EXPECT_EQ(response.steered().tokens(2).position(), 4);
  EXPECT_EQ(response.steered().total_logprob(), -1.5);
  ASSERT_EQ(response.steered().receipts_size(), 1);
  const v1::InterventionReceipt& receipt = response.steered().receipts(0);
  EXPECT_EQ(receipt.mode(), v1::INTERVENTION_MODE_SWAP);
  EXPECT_EQ(receipt.target_concept(), "job");
  EXPECT_EQ(receipt.alpha(), 1.25);
  EXPECT_EQ(receipt.unit(), v1::ALPHA_UNIT_ACTIVE_MEAN);
  EXPECT_EQ(receipt.positions_applied(), 1);
  EXPECT_EQ(receipt.effects(0).position(), 1);
  EXPECT_FALSE(receipt.effects(0).has_source_slot());
  EXPECT_EQ(response.baseline().prompt_reading().position(), 1);
}

TEST_F(ServicesTest, AStreamIsStartedTokensArmsSummary) {
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context, FromText<v1::GenerateRequest>(
                    "prompt { token_ids { ids: 5 } } arms: ARM_SELECTION_BOTH "
                    "generation { max_new_tokens: 3 concept_trace: true } "
                    "interventions { mode: INTERVENTION_MODE_ABLATE target { "
                    "slot: 1 } }"));
  std::vector<v1::GenerateResponse> events;
  v1::GenerateResponse event;
  while (reader->Read(&event)) events.push_back(event);
  ASSERT_TRUE(reader->Finish().ok());
  ASSERT_THAT(events, SizeIs(1 + 2 * (3 + 2 + 1) + 1));
  EXPECT_TRUE(events.front().has_started());
  ASSERT_TRUE(events.back().has_summary());
  const v1::GenerationSummary& summary = events.back().summary();
  ASSERT_EQ(summary.arms_size(), 2);
  EXPECT_FALSE(summary.arms(1).receipts(0).has_alpha());
  std::string text;
  for (const v1::GenerateResponse& each : events) {
    if (each.token().arm() == v1::ARM_STEERED) text += each.token().text();
    if (each.arm_finished().arm() == v1::ARM_STEERED) {
      text += each.arm_finished().text_tail();
    }
  }
  EXPECT_EQ(text, summary.arms(1).text());
  EXPECT_EQ(summary.arms(1).tokens_size(), 0);
  EXPECT_EQ(summary.arms(0).text(), summary.arms(1).text());
}

TEST_F(ServicesTest, HalfCharactersAreHeldBackInAStream) {
  // Two tokens for one character, then the end of the text.
  const std::vector<int32_t> script = {ByteId('\xc3'), ByteId('\xa9'), 259};
  executor_.next_token = [&](const std::vector<int32_t>& ids) {
    return script[std::min(ids.size() - 1, script.size() - 1)];
  };
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context,
      FromText<v1::GenerateRequest>("prompt { token_ids { ids: 5 } }"));
  std::vector<std::string> texts;
  v1::GenerateResponse event;
  while (reader->Read(&event)) {
    if (event.has_token()) texts.push_back(event.token().text());
  }
  ASSERT_TRUE(reader->Finish().ok());
  EXPECT_THAT(texts, ElementsAre("", "\xc3\xa9", ""));
}

TEST_F(ServicesTest, CancellingAStreamFreesItsSlot) {
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(2)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context, FromText<v1::GenerateRequest>(
                    "prompt { token_ids { ids: 5 } } generation { "
                    "max_new_tokens: 63 ignore_eos: true }"));
  v1::GenerateResponse event;
  ASSERT_TRUE(reader->Read(&event) && reader->Read(&event));
  context.TryCancel();
  while (reader->Read(&event)) {
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_TRUE(
      Reaches("alignsae_rpc_in_flight{method=\"SteeringService/"
              "Generate\"}",
              "0"));
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"CANCELLED\",method=\""
              "SteeringService/Generate\"}",
              "1"));
}

// Nothing is written to it while it waits, which would tell of its end too.
TEST_F(ServicesTest, CancellingAStreamThatWaitsTakesItOutOfTheQueue) {
  executor_.keep_steps = false;
  Load();
  const ModelLease model = *registry_.Acquire(kDefaultModel);
  RequestSpec endless;
  endless.sequences.resize(4);  // Every slot.
  for (SequenceSpec& sequence : endless.sequences) {
    sequence.prompt = {5};
    sequence.max_new_tokens = 900'000;
    sequence.ignore_eos = true;
    sequence.interventions = std::make_shared<std::vector<Intervention>>();
  }
  endless.client = "other";
  const auto others = std::make_shared<RecordingSink>();
  ASSERT_OK(model->scheduler().Submit(endless, others));
  ASSERT_TRUE(Reaches("alignsae_kv_slots_in_use", "4"));
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context, FromText<v1::GenerateRequest>("prompt { text: 'a' }"));
  v1::GenerateResponse event;
  ASSERT_TRUE(reader->Read(&event));
  ASSERT_TRUE(event.has_started());
  ASSERT_TRUE(Reaches("alignsae_queue_depth", "1"));
  context.TryCancel();
  EXPECT_TRUE(Reaches("alignsae_queue_depth", "0"));
  EXPECT_FALSE(others->done().has_value());
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(ServicesTest, AnExpiredDeadlineIsCountedAsOne) {
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(20)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::milliseconds(100));
  v1::CompleteResponse response;
  const grpc::Status status =
      steering_stub_->Complete(&context,
                               FromText<v1::CompleteRequest>(
                                   "prompt { token_ids { ids: 5 } } generation "
                                   "{ max_new_tokens: 63 }"),
                               &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"DEADLINE_EXCEEDED\","
              "method=\"SteeringService/Complete\"}",
              "1"));
}

TEST_F(ServicesTest, OurOwnFaultIsAnOpaqueId) {
  executor_.row_status = [](const StepRow&) {
    return absl::InternalError("tensor at /secret/path");
  };
  Load();
  grpc::ClientContext context;
  v1::CompleteResponse response;
  const grpc::Status status = steering_stub_->Complete(
      &context, FromText<v1::CompleteRequest>("prompt { text: 'a' }"),
      &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("internal error "));
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("secret")));
  EXPECT_EQ(InfoOf(status).reason(), "INTERNAL");
}

TEST_F(ServicesTest, TheEndOfTheDrainIsToldToAStream) {
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(5)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  grpc::ClientContext context;
  auto reader = steering_stub_->Generate(
      &context, FromText<v1::GenerateRequest>(
                    "prompt { token_ids { ids: 5 } } generation { "
                    "max_new_tokens: 63 }"));
  v1::GenerateResponse event;
  ASSERT_TRUE(reader->Read(&event) && reader->Read(&event));  // A token.
  registry_.EndAll();
  v1::GenerateResponse last;
  while (reader->Read(&event)) last = event;
  EXPECT_EQ(last.arm_finished().finish_reason(), v1::FINISH_REASON_CANCELLED);
  const grpc::Status status = reader->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(status).reason(), "DRAINING");
}

TEST_F(ServicesTest, EveryCallIsRefusedOnceTheServerDrains) {
  Load();
  registry_.RefuseNew();
  grpc::ClientContext one, two;
  v1::GetModelResponse model;
  v1::CompleteResponse answer;
  for (const grpc::Status& status :
       {model_stub_->GetModel(&one, {}, &model),
        steering_stub_->Complete(
            &two, FromText<v1::CompleteRequest>("prompt { text: 'a' }"),
            &answer)}) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(InfoOf(status).reason(), "DRAINING");
  }
}

TEST_F(ServicesTest, ACancelledUnaryCallFreesItsSlotAndItsCall) {
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(5)); };
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  grpc::ClientContext context;
  std::thread canceller([&] {
    absl::SleepFor(absl::Milliseconds(50));
    context.TryCancel();
  });
  v1::CompleteResponse response;
  const grpc::Status status = steering_stub_->Complete(
      &context,
      FromText<v1::CompleteRequest>("prompt { token_ids { ids: 5 } } "
                                    "generation { max_new_tokens: 63 }"),
      &response);
  canceller.join();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  for (int i = 0; i < 500 && open_calls_ > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(open_calls_, 0);
}

TEST_F(ServicesTest, ManyCallsThatComeAndGoAllEnd) {
  executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  Load();
  std::vector<std::thread> clients;
  std::atomic<int> answered{0}, cancelled{0};
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0; i < 20; ++i) {
        grpc::ClientContext context;
        auto reader = steering_stub_->Generate(
            &context, FromText<v1::GenerateRequest>(
                          "prompt { token_ids { ids: 5 } } generation { "
                          "max_new_tokens: 20 }"));
        v1::GenerateResponse event;
        int seen = 0;
        while (reader->Read(&event)) {
          if (++seen == i && c % 2 == 0) context.TryCancel();
        }
        const grpc::Status status = reader->Finish();
        if (status.ok()) ++answered;
        if (status.error_code() == grpc::StatusCode::CANCELLED) ++cancelled;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(answered + cancelled, 160);
  EXPECT_GE(answered, 80);
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_TRUE(
      Reaches("alignsae_rpc_in_flight{method=\"SteeringService/"
              "Generate\"}",
              "0"));
}

}  // namespace
}  // namespace alignsae
