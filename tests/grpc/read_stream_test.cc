// ReadConceptsStream over a real gRPC channel, with the fake executor behind
// the scheduler.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "tests/grpc/services_fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

using Answers = std::map<int64_t, v1::ReadConceptsStreamResponse>;

class ReadStreamTest : public ServicesTest {
 protected:
  // Every prompt is so many tokens of text.
  static v1::ReadConceptsStreamRequest Reading(int prompts, int length = 3) {
    v1::ReadConceptsStreamRequest request;
    for (int i = 0; i < prompts; ++i) {
      request.mutable_read()->add_prompts()->set_text(std::string(length, 'a'));
    }
    return request;
  }

  // Writes `requests`, half-closes, reads to the end.
  grpc::Status Run(const std::vector<v1::ReadConceptsStreamRequest>& requests,
                   Answers* answers) {
    grpc::ClientContext context;
    const auto call = concept_stub_->ReadConceptsStream(&context);
    std::thread writer([&] {
      for (const auto& request : requests) {
        if (!call->Write(request)) return;
      }
      call->WritesDone();
    });
    v1::ReadConceptsStreamResponse response;
    while (call->Read(&response)) {
      EXPECT_TRUE(answers->emplace(response.index(), response).second);
    }
    writer.join();
    return call->Finish();
  }

  bool AllCallsEnd() {
    for (int i = 0; i < 500 && open_calls_ > 0; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return open_calls_ == 0;
  }
};

TEST_F(ReadStreamTest, EveryRequestIsAnsweredAsTheUnaryCallAnswersIt) {
  Load();
  std::vector<v1::ReadConceptsStreamRequest> requests;
  for (int i = 0; i < 100; ++i)
    requests.push_back(Reading(1 + i % 3, 1 + i % 7));
  Answers answers;
  ASSERT_TRUE(Run(requests, &answers).ok());
  ASSERT_EQ(answers.size(), 100u);
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    v1::ReadConceptsResponse alone;
    ASSERT_TRUE(
        concept_stub_->ReadConcepts(&context, requests[i].read(), &alone).ok());
    v1::ReadConceptsResponse streamed = answers[i].answer();
    *streamed.mutable_info() = alone.info();
    EXPECT_EQ(streamed.SerializeAsString(), alone.SerializeAsString()) << i;
  }
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_EQ(memory_.answers.used(), 0);
  EXPECT_TRUE(
      Reaches("alignsae_rpc_requests_total{code=\"OK\",method="
              "\"ConceptService/ReadConceptsStream\"}",
              "1"));
}

TEST_F(ReadStreamTest, ARequestThatFailsEndsNothingElse) {
  Load();
  v1::ReadConceptsStreamRequest nothing;
  v1::ReadConceptsStreamRequest far = Reading(2);
  far.mutable_read()->set_position(99);
  v1::ReadConceptsStreamRequest unknown = Reading(1);
  unknown.mutable_read()->set_checkpoint("nope");
  Answers answers;
  ASSERT_TRUE(
      Run({Reading(1), nothing, far, unknown, Reading(1)}, &answers).ok());
  ASSERT_EQ(answers.size(), 5u);
  EXPECT_TRUE(answers[0].has_answer());
  EXPECT_EQ(answers[1].error().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(answers[1].error().message(), HasSubstr("prompts: must hold"));
  EXPECT_EQ(answers[1].error().reason(), "INVALID_FIELD");
  EXPECT_FALSE(answers[1].error().has_retry_after_ms());
  EXPECT_THAT(answers[2].error().message(), HasSubstr("position: must be in"));
  EXPECT_EQ(answers[3].error().code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(answers[4].has_answer());
}

TEST_F(ReadStreamTest, TheIdsOfTheCallAreThoseOfItsRequests) {
  Load();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "mine");
  const auto call = concept_stub_->ReadConceptsStream(&context);
  ASSERT_TRUE(call->Write(Reading(1)));
  v1::ReadConceptsStreamResponse response;
  ASSERT_TRUE(call->Read(&response));
  EXPECT_EQ(response.answer().info().request_id(), "mine");
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second,
            "mine");
  call->WritesDone();
  EXPECT_FALSE(call->Read(&response));
  EXPECT_TRUE(call->Finish().ok());

  grpc::ClientContext bad;
  bad.AddMetadata("x-client-id", std::string(200, 'x'));
  const auto refused = concept_stub_->ReadConceptsStream(&bad);
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ReadStreamTest, FewAreReadWhileTheyAreUnanswered) {
  absl::Notification go;
  executor_.before_step = [&] { go.WaitForNotification(); };
  Load();
  grpc::ClientContext context;
  const auto call = concept_stub_->ReadConceptsStream(&context);
  std::atomic<bool> written{false};
  // As much as gRPC's own buffers take: far more than may be in flight.
  std::thread writer([&] {
    for (int i = 0; i < 60; ++i) call->Write(Reading(30));
    call->WritesDone();
    written = true;
  });
  // The batch's worth of 64 is passed by the third request.
  EXPECT_TRUE(
      Reaches("alignsae_rpc_in_flight{method=\"ConceptService/"
              "ReadConcepts\"}",
              "3"));
  absl::SleepFor(absl::Milliseconds(100));
  EXPECT_EQ(Metric("alignsae_rpc_in_flight{method=\"ConceptService/"
                   "ReadConcepts\"}"),
            "3");
  go.Notify();
  v1::ReadConceptsStreamResponse response;
  int answers = 0;
  while (call->Read(&response)) answers += response.has_answer() ? 1 : 0;
  writer.join();
  EXPECT_TRUE(call->Finish().ok());
  EXPECT_EQ(answers, 60);
}

TEST_F(ReadStreamTest, ACancelEndsWhatRuns) {
  absl::Notification go;
  executor_.before_step = [&] { go.WaitForNotification(); };
  Load();
  grpc::ClientContext context;
  const auto call = concept_stub_->ReadConceptsStream(&context);
  ASSERT_TRUE(call->Write(Reading(30)));
  EXPECT_TRUE(
      Reaches("alignsae_rpc_in_flight{method=\"ConceptService/"
              "ReadConcepts\"}",
              "1"));
  context.TryCancel();
  go.Notify();
  EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_EQ(memory_.answers.used(), 0);
}

TEST_F(ReadStreamTest,
       WhileTheModelLoadsAndWhileItDrainsTheStreamIsUnavailable) {
  Answers answers;
  grpc::Status status = Run({}, &answers);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(status).reason(), "STARTING");
  Load();
  grpc::ClientContext context;
  const auto idle = concept_stub_->ReadConceptsStream(&context);
  ASSERT_TRUE(idle->Write(Reading(1)));
  v1::ReadConceptsStreamResponse response;
  ASSERT_TRUE(idle->Read(&response));
  registry_.RefuseNew();
  // Without a request and without a deadline.
  EXPECT_FALSE(idle->Read(&response));
  status = idle->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(status).reason(), "DRAINING");
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(ReadStreamTest, WhatWasReadBeforeTheDrainIsAnswered) {
  absl::Notification began, go;
  executor_.before_step = [&] {
    if (!began.HasBeenNotified()) began.Notify();
    go.WaitForNotification();
  };
  Load();
  grpc::ClientContext context;
  const auto call = concept_stub_->ReadConceptsStream(&context);
  ASSERT_TRUE(call->Write(Reading(2)));
  began.WaitForNotification();
  registry_.RefuseNew();
  ASSERT_TRUE(call->Write(Reading(1)));
  go.Notify();
  v1::ReadConceptsStreamResponse response;
  ASSERT_TRUE(call->Read(&response));
  int whole = 0;
  do {
    whole += response.index() == 0 && response.has_answer() ? 1 : 0;
  } while (call->Read(&response));
  EXPECT_EQ(whole, 1);
  EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(ReadStreamTest, AStreamThatSendsNothingIsEnded) {
  env_.config.limits.max_deadline_seconds = 0.5;
  Load();
  grpc::ClientContext context;
  const auto call = concept_stub_->ReadConceptsStream(&context);
  v1::ReadConceptsStreamResponse response;
  EXPECT_FALSE(call->Read(&response));
  const grpc::Status status = call->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("must send a request within"));
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(ReadStreamTest, AnswersThatNobodyTakesAreGivenUp) {
  env_.unread.max_age = absl::Milliseconds(400);
  Load();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto stub = v1::ConceptService::NewStub(grpc::CreateCustomChannel(
      address_, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  const auto call = stub->ReadConceptsStream(&context);
  // More than windows and buffers hold. What is written once the call has ended
  // counts as written.
  for (int i = 0; i < 10000; ++i) call->Write(Reading(8));
  EXPECT_TRUE(AllCallsEnd());
  // The client knows the end only once it has taken what had come before.
  v1::ReadConceptsStreamResponse response;
  while (call->Read(&response)) {
  }
  EXPECT_EQ(call->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_EQ(memory_.answers.used(), 0);
}

}  // namespace
}  // namespace alignsae
