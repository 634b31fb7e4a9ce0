// SchedulerTest: a scheduler over a fake executor and a fake clock, driven step
// by step without a thread.

#ifndef ALIGNSAE_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_
#define ALIGNSAE_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/scheduler/scheduler.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"

namespace alignsae {

inline constexpr int32_t kEos = 99;
inline constexpr int32_t kSecondEos = 98;

// Two checkpoints at sites 1 and 3 of a model of four blocks.
inline std::shared_ptr<const Catalog> TwoCheckpoints() {
  auto catalog = std::make_shared<Catalog>();
  catalog->model.n_layer = 4;
  catalog->model.context_length = 64;
  catalog->model.vocab_size = 100;
  catalog->model.eos_token_ids = {kEos, kSecondEos};
  for (int layer : {1, 3}) {
    CheckpointInfo checkpoint;
    checkpoint.name = absl::StrCat("at_", layer);
    checkpoint.hook = {HookKind::kResidPre, layer};
    checkpoint.concepts.resize(2);
    catalog->checkpoints.push_back(std::move(checkpoint));
  }
  return catalog;
}

// A token's text is its id in angle brackets.
inline absl::string_view FakeTokenBytes(int32_t id) {
  static const auto* const kPieces = [] {
    auto* pieces = new std::vector<std::string>();
    for (int i = 0; i < 100; ++i) pieces->push_back(absl::StrCat("<", i, ">"));
    return pieces;
  }();
  return (*kPieces)[id];
}

class RecordingObserver : public SchedulerObserver {
 public:
  void OnQueue(int sequences, int64_t tokens) override { queue = sequences; }
  void OnRejected(RejectReason reason) override { rejected.push_back(reason); }
  void OnQueueWait(absl::Duration waited) override { waits.push_back(waited); }
  void OnStep(const StepReport& report) override { ++steps; }
  void OnFirstToken(absl::Duration since) override {
    first_tokens.push_back(since);
  }
  void OnTokenTime(absl::Duration time) override {
    token_times.push_back(time);
  }
  void OnCancelledFree(absl::Duration took) override { freed.push_back(took); }
  void OnPromptReading(const ConceptReading& reading) override {
    readings.push_back(reading);
  }
  void OnGeneratedReading(const ConceptReading& reading) override {
    generated_readings.push_back(reading);
  }
  void OnSteered(const std::vector<Intervention>& interventions,
                 const std::vector<InterventionReceipt>& receipts) override {
    steered.push_back(receipts);
  }

  int queue = 0;
  int steps = 0;
  std::vector<RejectReason> rejected;
  std::vector<absl::Duration> waits, first_tokens, token_times, freed;
  std::vector<ConceptReading> readings, generated_readings;
  std::vector<std::vector<InterventionReceipt>> steered;
};

class SchedulerTest : public ::testing::Test {
 protected:
  static constexpr int kSlots = 4;
  static constexpr int kMaxQueued = 8;  // Sequences.

  explicit SchedulerTest(int64_t prefix_cache_tokens = 0)
      : options_{.queue = {.max_sequences = kMaxQueued, .max_tokens = 400},
                 .max_prompt_tokens_per_step = 8,
                 .prefix_cache_tokens = prefix_cache_tokens} {}

  static SequenceSpec Generate(std::vector<int32_t> prompt, int tokens) {
    SequenceSpec spec;
    spec.prompt = std::move(prompt);
    spec.max_new_tokens = tokens;
    spec.interventions = std::make_shared<std::vector<Intervention>>();
    return spec;
  }
  static SequenceSpec Read(std::vector<int32_t> prompt, int checkpoint,
                           std::vector<int> positions) {
    SequenceSpec spec = Generate(std::move(prompt), 0);
    spec.observations = {{checkpoint, std::move(positions), false}};
    spec.reading_checkpoint = checkpoint;
    return spec;
  }
  static RequestSpec One(SequenceSpec sequence) {
    RequestSpec spec;
    spec.sequences.push_back(std::move(sequence));
    return spec;
  }

  std::shared_ptr<RecordingSink> Submit(RequestSpec spec) {
    auto sink = std::make_shared<RecordingSink>();
    absl::StatusOr<RequestHandle> handle =
        scheduler_.Submit(std::move(spec), sink);
    EXPECT_OK(handle);
    if (handle.ok()) handles_.push_back(*std::move(handle));
    return sink;
  }
  std::shared_ptr<RecordingSink> Submit(SequenceSpec sequence) {
    return Submit(One(std::move(sequence)));
  }
  void RunUntilIdle() {
    for (int i = 0; i < 1000; ++i) {
      if (scheduler_.RunOneStep().rows == 0) return;
    }
    FAIL() << "the scheduler never came to rest";
  }
  // Steps that have been run, and the rows of the last one.
  size_t step_count() const { return executor_.steps.size(); }
  const std::vector<StepRow>& last_step() const {
    return executor_.steps.back();
  }

  FakeClock clock_;
  FakeStepExecutor executor_{kSlots};
  RecordingObserver observer_;
  SchedulerOptions options_;
  Scheduler scheduler_{options_, &executor_, &clock_,
                       SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                       &observer_};
  std::vector<RequestHandle> handles_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SCHEDULER_SCHEDULER_FIXTURE_H_
