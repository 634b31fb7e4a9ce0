// ValidateBinding without a transport: what is asked, when it goes on, and how
// it ends. The fake says the first concept is on top, bound, at every prompt.

#include "server/api/validate_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "server/api/concept_rpcs.h"
#include "server/api/steering_rpcs.h"
#include "tests/api/api_fixture.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ValidateStreamTest : public ApiTest {
 protected:
  void Store(std::vector<ValidationPrompt> prompts) {
    auto changed = std::make_shared<Catalog>(*catalog_);
    changed->checkpoints[0].validation = std::move(prompts);
    catalog_ = std::move(changed);
  }
  std::shared_ptr<CollectingSink<v1::ValidateBindingResponse>> Validate(
      const std::string& request, Caller caller = {}) {
    return RunStream(&ValidateBinding, MakeCall(kRpcValidateBinding, caller),
                     FromText<v1::ValidateBindingRequest>(request));
  }
  WireStatus Refused(const std::string& request) {
    const auto sink = Validate(request);
    EXPECT_TRUE(sink->messages.empty());
    return sink->status;
  }
};

TEST_F(ValidateStreamTest, SpansAreReadAndSwappedAsWholes) {
  Store({{"xyz uvw", "city", "", {{"job", "no"}}, -1, "yz"}});
  auto spans = std::make_shared<Catalog>(*catalog_);
  spans->checkpoints[0].trained = TrainedPositions::kSpan;
  catalog_ = std::move(spans);
  Load();
  const auto sink = Validate("");
  EXPECT_EQ(sink->messages.back().report().read().rate(), 1);
  std::vector<int> edited;
  for (const auto& step : executor_.steps) {
    for (const StepRow& row : step) {
      for (const Intervention& edit : *row.interventions) {
        edited = edit.positions.prompt;
      }
    }
  }
  ASSERT_FALSE(executor_.steps.empty());
  EXPECT_THAT(executor_.steps[0][0].observations[0].positions,
              ElementsAre(1, 2));
  EXPECT_THAT(edited, ElementsAre(1, 2));
}

TEST_F(ValidateStreamTest, ReadsAndSwapsWhatItIsGiven) {
  Load();
  // After the prompt: "ok", then the end.
  const std::vector<int32_t> ok = tokenizer_->Encode("ok");
  executor_.next_token = [&](const std::vector<int32_t>& ids) {
    const size_t said = ids.size() - 2;
    return said < ok.size() ? ok[said] : 259;
  };
  const auto sink = Validate(R"(
      prompts { prompt { token_ids { ids: 5 ids: 6 } } concept_name: 'city'
                answer: 'x' targets { key: 'job' value: ' OK ' } }
      prompts { prompt { token_ids { ids: 5 ids: 7 } } concept_name: 'job'
                targets { key: 'city' value: 'no' }
                targets { key: 'job' value: 'itself' } }
      prompts { prompt { token_ids { ids: 5 ids: 8 } } concept_name: 'job'
                answer: 'same' targets { key: 'city' value: 'same' } }
      prompts { prompt { token_ids { ids: 5 ids: 9 } } })");
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  const v1::ValidationStarted& started = sink->messages.front().started();
  EXPECT_EQ(started.prompt_count(), 4);
  EXPECT_EQ(started.swap_count(), 2);  // Not to itself, nor to the same answer.
  EXPECT_FALSE(started.stored());
  EXPECT_EQ(started.info().checkpoint(), "main");
  const v1::ValidationReport& report = sink->messages.back().report();
  EXPECT_EQ(report.read().successes(), 1);
  EXPECT_EQ(report.read().tries(), 3);
  EXPECT_EQ(report.bound_wrong().successes(), 2);
  EXPECT_EQ(report.abstention().successes(), 0);
  EXPECT_EQ(report.abstention().tries(), 1);
  EXPECT_EQ(report.swap().tries(), 2);
  EXPECT_EQ(report.swap().successes(), 1);
  EXPECT_EQ(report.concepts(1).swap().successes(), 1);
  EXPECT_EQ(report.concepts(0).swap().successes(), 0);
  EXPECT_THAT(report.concepts(1).top_counts(), ElementsAre(2, 0));
  EXPECT_FALSE(report.tells_outside());
  EXPECT_EQ(report.info().generation_id(), 1u);
  // A caller's own prompts say nothing about the checkpoint.
  EXPECT_EQ(Metric("alignsae_validated_binding{checkpoint=\"main\"}"), "none");
}

// A transport that takes one message at a time, as gRPC does, and its time.
class SlowValidationSink final
    : public StreamSink<v1::ValidateBindingResponse> {
 public:
  void Write(const v1::ValidateBindingResponse&) override {
    EXPECT_FALSE(writing.exchange(true));
    wrote.Notify();
  }
  void Finish(const v1::ValidateBindingResponse* report,
              const WireStatus& end) override {
    EXPECT_FALSE(report != nullptr && writing);
    reported = report != nullptr;
    status = end;
    ended.Notify();
  }
  void GiveUpAfter(absl::Duration) override { ++give_ups; }

  std::atomic<bool> writing{false};
  std::atomic<int> give_ups{0};
  bool reported = false;
  WireStatus status;
  absl::Notification wrote, ended;
};

TEST_F(ValidateStreamTest, TheReportWaitsForTheMessageBeforeIt) {
  Store({{"a", "city", "", {}}});
  Load();
  for (const bool reads : {true, false}) {
    auto sink = std::make_shared<SlowValidationSink>();
    const v1::ValidateBindingRequest request;
    const auto stream =
        ValidateBinding(MakeCall(kRpcValidateBinding), &request, sink);
    stream->Begin();
    sink->wrote.WaitForNotification();  // `started` is not taken yet.
    EXPECT_FALSE(
        sink->ended.WaitForNotificationWithTimeout(absl::Milliseconds(200)));
    EXPECT_EQ(sink->give_ups, 1);  // It is not waited for without end.
    sink->writing = false;
    stream->OnWritten(reads);
    sink->ended.WaitForNotification();
    EXPECT_EQ(sink->reported, reads);
    EXPECT_EQ(sink->status.code,
              reads ? absl::StatusCode::kOk : absl::StatusCode::kCancelled);
    EXPECT_EQ(sink->give_ups, 1);
  }
}

TEST_F(ValidateStreamTest, ByDefaultItTakesWhatTheBundleStores) {
  Store({{"a", "city", "", {{"job", "x"}}},
         {"b", "job", "", {}},
         {"c", "", "", {}}});
  Load();
  const auto sink = Validate("max_swaps: 0");
  ASSERT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  EXPECT_TRUE(sink->messages.front().started().stored());
  EXPECT_EQ(sink->messages.front().started().swap_count(), 0);
  EXPECT_EQ(sink->messages.back().report().read().rate(), 0.5);
  EXPECT_EQ(Metric("alignsae_validated_binding{checkpoint=\"main\"}"), "0.5");
}

TEST_F(ValidateStreamTest, WhatBreaksARuleIsRefusedWithItsField) {
  Load();
  EXPECT_EQ(Refused("").code, absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Refused("").message,
              HasSubstr("prompts: must be given, as the bundle stores none"));
  EXPECT_THAT(
      Refused("prompts { prompt { text: 'a' } } prompts { prompt { text: 'a' } "
              "concept_name: 'cty' }")
          .message,
      HasSubstr("prompts[1].concept_name: must be a concept of the checkpoint, "
                "got \"cty\""));
  EXPECT_EQ(
      Refused("prompts { prompt { text: 'a' } concept_name: 'cty' }").code,
      absl::StatusCode::kNotFound);
  EXPECT_THAT(
      Refused("prompts { prompt { text: 'a' } } max_swaps: 4097").message,
      HasSubstr("max_swaps: must be in [0, 4096], got 4097"));
  EXPECT_THAT(Refused("prompts { prompt { text: 'a' } position: 1 }").message,
              HasSubstr("prompts[0].position: must be in [-1, 0], got 1; the "
                        "prompt has 1 token"));
  EXPECT_THAT(Refused("prompts { prompt { text: 'a' } targets { key: 'job' } }")
                  .message,
              HasSubstr("prompts[0].targets: must hold answers that are not "
                        "empty"));
  EXPECT_EQ(Refused("checkpoint: 'none'").code, absl::StatusCode::kNotFound);
}

TEST_F(ValidateStreamTest, GoesOnOnlyWhileNothingElseRuns) {
  Store(std::vector<ValidationPrompt>(20, {"a", "city", "", {}}));
  Load();
  std::atomic<int> sampled{0};
  std::atomic<int> mixed{0};
  executor_.keep_steps = false;
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(1)); };
  executor_.row_status = [&](const StepRow& row) {
    if (row.sampling.has_value()) {
      ++sampled;
    } else if (sampled < 40) {
      ++mixed;  // It reads before the answer is whole.
    }
    return absl::OkStatus();
  };
  // An answer of 40 tokens that begins before the validation.
  v1::CompleteResponse answer;
  absl::Notification answered;
  const auto call = MakeCall(kRpcComplete);
  const auto request = FromText<v1::CompleteRequest>(
      "prompt { token_ids { ids: 5 ids: 6 } } generation { max_new_tokens: 40 "
      "ignore_eos: true }");
  Complete(call, &request, &answer, [&](const absl::Status& status) {
    EXPECT_OK(status);
    call->End(status);
    answered.Notify();
  });
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "1"));
  const auto sink = Validate("");
  answered.WaitForNotification();
  EXPECT_EQ(sink->status.code, absl::StatusCode::kOk) << sink->status.message;
  EXPECT_EQ(sink->messages.back().report().read().tries(), 20);
  EXPECT_EQ(mixed, 0);
}

TEST_F(ValidateStreamTest, LooksAtCancelAndDeadlineBetweenChunks) {
  Store(std::vector<ValidationPrompt>(1000, {"a", "city", "", {}}));
  Load();
  executor_.keep_steps = false;
  executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(5)); };
  Caller hasty;
  hasty.deadline = absl::Now() + absl::Milliseconds(100);
  const absl::Time began = absl::Now();
  EXPECT_EQ(Validate("", hasty)->status.code,
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(absl::Now() - began, absl::Seconds(2));

  const auto call = MakeCall(kRpcValidateBinding);
  auto sink =
      std::make_shared<CollectingSink<v1::ValidateBindingResponse>>(&lanes_);
  const v1::ValidateBindingRequest request;
  const auto stream = ValidateBinding(call, &request, sink);
  sink->stream = stream;
  stream->Begin();
  absl::SleepFor(absl::Milliseconds(50));
  call->Cancel();
  EXPECT_TRUE(sink->ended.WaitForNotificationWithTimeout(absl::Seconds(2)));
  EXPECT_EQ(sink->status.code, absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace alignsae
