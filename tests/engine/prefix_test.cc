// Prompts that begin alike through the scheduler and the real engine, with the
// prefix cache on and off: the same tokens, readings and receipts, and those of
// the reference.

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "model/base/clock.h"
#include "model/engine/engine.h"
#include "model/scheduler/scheduler.h"
#include "tests/reference/gpt2_reference.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

constexpr int kHead = 20;  // Tokens that begin every prompt.

class PrefixOnOffTest : public ::testing::Test {
 protected:
  struct Outcome {
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    PrefixReport sum;
  };

  static SequenceSpec Sequence(std::vector<int32_t> prompt, int tokens) {
    SequenceSpec spec;
    spec.prompt = std::move(prompt);
    spec.max_new_tokens = tokens;
    spec.reading_checkpoint = 0;
    spec.interventions = std::make_shared<std::vector<Intervention>>();
    return spec;
  }
  static SequenceSpec Steered(SequenceSpec spec, int checkpoint,
                              std::vector<int> positions, bool generated) {
    Intervention edit;
    edit.checkpoint = checkpoint;
    edit.mode = InterventionMode::kSwap;
    edit.target_slot = 3;
    edit.source_slot = 0;
    edit.alpha = 3;
    edit.positions = {std::move(positions), generated};
    spec.interventions =
        std::make_shared<const std::vector<Intervention>>(1, edit);
    return spec;
  }
  static RequestSpec Request(std::vector<SequenceSpec> sequences) {
    RequestSpec spec;
    spec.sequences = std::move(sequences);
    if (spec.sequences.size() > 1) spec.grouping = Grouping::kTogether;
    return spec;
  }

  // Everything that an RPC asks, of one prompt.
  static std::vector<RequestSpec> AllOf(const std::vector<int32_t>& prompt) {
    const int last = static_cast<int>(prompt.size()) - 1;
    SequenceSpec read = Sequence(prompt, 0);
    read.observations = {{0, {last}, false}};
    SequenceSpec early = Sequence(prompt, 0);
    early.observations = {{1, {11, last}, false}};
    early.reading_checkpoint = 1;
    SequenceSpec traced = Steered(Sequence(prompt, 4), 1, {last}, true);
    traced.trace = true;
    SequenceSpec scored = Sequence(prompt, 2);
    scored.prompt_logprobs = 1;
    const SequenceSpec plain = Sequence(prompt, 6);
    return {Request({plain}),
            Request({read}),
            Request({plain, Steered(plain, 0, {last}, false)}),
            Request({early}),
            Request({Steered(plain, 1, {12, last}, false)}),
            Request({traced}),
            Request({plain}),
            Request({scored})};
  }

  // Each request begins while the one before it runs.
  Outcome Run(const std::vector<RequestSpec>& requests, int64_t kept) const {
    std::unique_ptr<Engine> engine =
        Engine::Create(bundle_, {.kv_slots = 5}).value();
    const RealClock clock;
    struct Observer : SchedulerObserver {
      void OnStep(const StepReport& report) override {
        sum.hits += report.prefix.hits;
        sum.tokens_taken += report.prefix.tokens_taken;
      }
      PrefixReport sum;
    } observer;
    const SequenceEnv env = {bundle_->catalog,
                             [](int32_t) { return absl::string_view(); }};
    Scheduler scheduler({.queue = {},
                         .max_prompt_tokens_per_step = 16,
                         .prefix_cache_tokens = kept},
                        engine.get(), &clock, env, &observer);
    Outcome outcome;
    for (const RequestSpec& request : requests) {
      outcome.sinks.push_back(std::make_shared<RecordingSink>());
      EXPECT_OK(scheduler.Submit(request, outcome.sinks.back()));
      for (int i = 0; i < 4; ++i) scheduler.RunOneStep();
      EXPECT_OK(scheduler.CheckInvariants());
    }
    while (scheduler.HasWork()) scheduler.RunOneStep();
    outcome.sum = observer.sum;
    return outcome;
  }

  static void ExpectSame(const ConceptReading& a, const ConceptReading& b) {
    EXPECT_EQ(a.checkpoint, b.checkpoint);
    EXPECT_EQ(a.position, b.position);
    EXPECT_EQ(a.top, b.top);
    ASSERT_EQ(a.values.size(), b.values.size());
    for (size_t i = 0; i < a.values.size(); ++i) {
      EXPECT_NEAR(a.values[i], b.values[i], 1e-4);
      EXPECT_NEAR(a.probabilities[i], b.probabilities[i], 1e-4);
    }
  }
  static void ExpectSame(const InterventionReceipt& a,
                         const InterventionReceipt& b) {
    EXPECT_EQ(a.positions_applied, b.positions_applied);
    ASSERT_EQ(a.effects.size(), b.effects.size());
    for (size_t i = 0; i < a.effects.size(); ++i) {
      EXPECT_EQ(a.effects[i].position, b.effects[i].position);
      EXPECT_NEAR(a.effects[i].change_norm, b.effects[i].change_norm, 1e-3);
      EXPECT_NEAR(a.effects[i].target_after, b.effects[i].target_after, 1e-3);
    }
  }
  static void ExpectSame(const SequenceFinished& a, const SequenceFinished& b) {
    EXPECT_EQ(a.reason, b.reason);
    EXPECT_EQ(a.prompt_tokens, b.prompt_tokens);
    EXPECT_NEAR(a.total_logprob, b.total_logprob, 1e-3);
    ASSERT_EQ(a.readings.size(), b.readings.size());
    for (size_t i = 0; i < a.readings.size(); ++i) {
      ExpectSame(a.readings[i], b.readings[i]);
    }
    ASSERT_TRUE(a.prompt_reading.has_value());
    ASSERT_TRUE(b.prompt_reading.has_value());
    ExpectSame(*a.prompt_reading, *b.prompt_reading);
    ASSERT_EQ(a.receipts.size(), b.receipts.size());
    for (size_t i = 0; i < a.receipts.size(); ++i) {
      ExpectSame(a.receipts[i], b.receipts[i]);
    }
  }
  static void ExpectSame(const RecordingSink& a, const RecordingSink& b,
                         size_t sequences) {
    EXPECT_OK(a.done().value());
    for (size_t i = 0; i < sequences; ++i) {
      const int index = static_cast<int>(i);
      EXPECT_EQ(a.ids(index), b.ids(index));
      for (const SequenceFinished& one : a.finished()) {
        for (const SequenceFinished& other : b.finished()) {
          if (one.sequence != index || other.sequence != index) continue;
          ExpectSame(one, other);
        }
      }
    }
    ASSERT_EQ(a.finished().size(), sequences);
    ASSERT_EQ(a.traces().size(), b.traces().size());
    for (size_t i = 0; i < a.traces().size(); ++i) {
      ExpectSame(a.traces()[i].reading, b.traces()[i].reading);
    }
    ASSERT_EQ(a.prompts().size(), b.prompts().size());
  }

  std::shared_ptr<const Bundle> bundle_ = TinyBundle();
  const ReferenceGpt2 reference_{TinyGpt2Config(),
                                 ParametersOf(TinyBundleWeights())};
};

TEST_F(PrefixOnOffTest, AnswersAreTheSame) {
  std::vector<RequestSpec> requests;
  for (uint64_t question = 0; question < 3; ++question) {
    std::vector<int32_t> prompt = RandomTokens(TinyGpt2Config(), kHead, 5);
    const std::vector<int32_t> tail = RandomTokens(
        TinyGpt2Config(), 6 + static_cast<int>(question), 50 + question);
    prompt.insert(prompt.end(), tail.begin(), tail.end());
    // Another turn of the conversation, behind what is answered.
    std::vector<int32_t> turn = prompt;
    const std::vector<int32_t> answer = reference_.Greedy(prompt, 6);
    turn.insert(turn.end(), answer.begin(), answer.end());
    turn.push_back(3);
    for (RequestSpec& spec : AllOf(prompt)) requests.push_back(std::move(spec));
    requests.push_back(Request({Sequence(turn, 5)}));
  }
  const Outcome off = Run(requests, 0);
  const Outcome on = Run(requests, 1000);
  EXPECT_EQ(off.sum.tokens_taken, 0);
  // All but the first, those that read or edit inside, and those that score.
  EXPECT_GE(on.sum.hits, 20);
  EXPECT_GE(on.sum.tokens_taken, 20 * kHead);
  for (size_t i = 0; i < requests.size(); ++i) {
    SCOPED_TRACE(i);
    const std::vector<SequenceSpec>& sequences = requests[i].sequences;
    ExpectSame(*off.sinks[i], *on.sinks[i], sequences.size());
    if (!sequences[0].interventions->empty()) continue;
    EXPECT_EQ(
        on.sinks[i]->ids(),
        reference_.Greedy(sequences[0].prompt, sequences[0].max_new_tokens));
  }
}

TEST_F(PrefixOnOffTest, ACopyOfWhatIsNotThereIsRefused) {
  std::unique_ptr<Engine> engine =
      Engine::Create(bundle_, {.kv_slots = 2}).value();
  EXPECT_OK(engine->CopyKv({.from = 0, .to = 1, .positions = 48, .layers = 4}));
  for (const KvCopy& wrong :
       {KvCopy{2, 0, 1, 1}, KvCopy{0, -1, 1, 1}, KvCopy{0, 1, 49, 1},
        KvCopy{0, 1, 1, 5}, KvCopy{0, 1, -1, 1}, KvCopy{0, 1, 1, -1}}) {
    EXPECT_EQ(engine->CopyKv(wrong).code(), absl::StatusCode::kInternal);
  }
}

}  // namespace
}  // namespace alignsae
