// The KV cache's memory is bounded by its tokens, whatever KV slots have used
// it, and nothing that is answered depends on it.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "model/base/clock.h"
#include "model/engine/engine.h"
#include "model/gpt2/gpt2.h"
#include "model/scheduler/scheduler.h"
#include "model/transformer/kv_cache.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/support/recording_sink.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

// 16 positions of keys are one page, of values too.
const Gpt2Config kPageABlock = {.n_layer = 4,  // As the fake has.
                                .n_head = 2,
                                .d_model = 64,
                                .d_inner = 4,
                                .context_length = 160,
                                .vocab_size = 100};
constexpr int kManySlots = 64;
constexpr int kWholeContexts = 16;

// The fake, with the pages of a real KV cache: every position that a row, or a
// copy, writes is touched.
class TouchingExecutor : public FakeStepExecutor {
 public:
  TouchingExecutor()
      : FakeStepExecutor(kManySlots,
                         kWholeContexts * kPageABlock.context_length),
        cache_(kPageABlock.facts(), kManySlots, at::kCPU) {
    keep_steps = false;
  }

  std::vector<RowResult> Step(absl::Span<const StepRow> rows) override {
    for (const StepRow& row : rows) {
      const bool reads_another =
          row.fork.has_value() && row.fork->kv_slot != row.kv_slot;
      const int begin =
          reads_another ? std::max(row.start, row.fork->position) : row.start;
      const int end = row.start + static_cast<int>(row.tokens.size());
      for (int position = begin; position < end; ++position) {
        Touch(row.kv_slot, position);
      }
    }
    return FakeStepExecutor::Step(rows);
  }
  absl::Status CopyKv(const KvCopy& copy) override {
    cache_.Copy(copy.from, copy.to, copy.positions, copy.layers);
    return FakeStepExecutor::CopyKv(copy);
  }
  void TrimKv(int kv_slot, const KvRange& keep) override {
    if (trim) cache_.Trim(kv_slot, keep.begin, keep.end);
    FakeStepExecutor::TrimKv(kv_slot, keep);
  }

  // Of the part that has the most.
  int64_t resident_pages() const {
    int64_t most = 0;
    for (int layer = 0; layer < kPageABlock.n_layer; ++layer) {
      most = std::max(
          {most, PagesOf(cache_.keys(layer)), PagesOf(cache_.values(layer))});
    }
    return most;
  }

  bool trim = true;

 private:
  void Touch(int kv_slot, int position) {
    const int block = position / kKeyBlock;
    for (int layer = 0; layer < kPageABlock.n_layer; ++layer) {
      const HeadCache<float> head = cache_.head<float>(layer, kv_slot, 0);
      head.keys[block * head.key_stride] = 1;
      head.values[block * head.value_stride] = 1;
    }
  }
  static int64_t PagesOf(const at::Tensor& memory) {
    const size_t page = sysconf(_SC_PAGESIZE);
    std::vector<unsigned char> pages((memory.nbytes() + page - 1) / page);
    EXPECT_EQ(mincore(memory.data_ptr(), memory.nbytes(), pages.data()), 0);
    return std::count_if(pages.begin(), pages.end(),
                         [](unsigned char each) { return (each & 1) != 0; });
  }

  KvCache cache_;
};

class KvMemoryTest : public SchedulerTest {
 protected:
  // Runs `count` sequences at once; the most pages after any step.
  int64_t Run(Scheduler& scheduler, int count, int prompt, int tokens) {
    for (int i = 0; i < count; ++i) {
      RequestSpec spec = One(Generate(std::vector<int32_t>(prompt, i), tokens));
      spec.sequences[0].ignore_eos = true;
      EXPECT_OK(scheduler.Submit(spec, std::make_shared<RecordingSink>()));
    }
    int64_t most = 0;
    size_t at_once = 0;
    while (scheduler.HasWork()) {
      scheduler.RunOneStep();
      at_once = std::max(at_once, scheduler.TakeCensus().running.size());
      most = std::max(most, touched_.resident_pages());
    }
    EXPECT_EQ(at_once, static_cast<size_t>(count));
    return most;
  }
  // The most pages of 64 short ones, then of 16 whole contexts, again.
  int64_t RunShortAndLong(int64_t prefix_cache_tokens) {
    SchedulerOptions options;
    options.max_prompt_tokens_per_step = 4096;
    options.prefix_cache_tokens = prefix_cache_tokens;
    Scheduler scheduler(options, &touched_, &clock_,
                        SequenceEnv{TwoCheckpoints(), &FakeTokenBytes},
                        &observer_);
    int64_t most = 0;
    for (int round = 0; round < 2; ++round) {
      most = std::max(most, Run(scheduler, 64, 30, 10));
      most = std::max(most, Run(scheduler, 16, 120, 40));
    }
    return most;
  }

  // Pages of the tokens, and a block that is not full in each slot.
  static constexpr int64_t kBound = 16 * 160 / 16 + 64;
  TouchingExecutor touched_;
};

TEST_F(KvMemoryTest, PagesAreBoundedByTheTokens) {
  EXPECT_LE(RunShortAndLong(0), kBound);
}

TEST_F(KvMemoryTest, WhatThePrefixCacheKeepsIsWithinThem) {
  EXPECT_LE(RunShortAndLong(100000), kBound);
}

// What the bound is worth: 64 short ones, and 16 long ones beside what those
// left.
TEST_F(KvMemoryTest, WithoutTrimItIsExceeded) {
  touched_.trim = false;
  EXPECT_GT(RunShortAndLong(0), kBound);
}

TEST(KvTokensTest, AreThoseOfTheContextsUnlessTheyAreGiven) {
  const auto tokens = [](EngineOptions options) {
    return KvTokensOf(options, 100).value();
  };
  EXPECT_EQ(tokens({.kv_slots = 64}), 6400);
  EXPECT_EQ(tokens({.kv_slots = 64, .kv_contexts = 16}), 1600);
  EXPECT_EQ(tokens({.kv_slots = 4, .kv_contexts = 16}), 400);
  EXPECT_EQ(tokens({.kv_slots = 64, .kv_tokens = 100, .kv_contexts = 16}), 100);
  EXPECT_EQ(tokens({.kv_slots = 4, .kv_tokens = 1000}), 400);
  EXPECT_THAT(KvTokensOf({.kv_slots = 4, .kv_tokens = 99}, 100),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       "kv_tokens: must be at least the model's context of 100 "
                       "tokens, got 99"));
}

// Few tokens make others wait and pages come and go; no answer is another one.
TEST(KvTokensTest, NoTokenDependsOnHowManyThereAre) {
  const std::shared_ptr<const Bundle> bundle = TinyBundle();
  const int context = bundle->model->facts().context_length;
  const auto answers = [&](int64_t kv_tokens) {
    std::unique_ptr<Engine> engine =
        Engine::Create(bundle, {.kv_slots = 6, .kv_tokens = kv_tokens}).value();
    const RealClock clock;
    SchedulerObserver observer;
    Scheduler scheduler(
        {.queue = {}, .prefix_cache_tokens = 1000}, engine.get(), &clock,
        {bundle->catalog, [](int32_t) { return absl::string_view(); }},
        &observer);
    std::vector<std::shared_ptr<RecordingSink>> sinks;
    for (int i = 0; i < 18; ++i) {
      RequestSpec spec;
      spec.grouping = Grouping::kTogether;
      for (int arm = 0; arm < 1 + i % 2; ++arm) {
        SequenceSpec sequence;
        sequence.prompt.assign(2 + (5 * i) % (context / 2), 1 + i % 7);
        sequence.max_new_tokens = 1 + (7 * i) % (context / 2 - 2);
        sequence.ignore_eos = true;
        sequence.interventions = std::make_shared<std::vector<Intervention>>();
        spec.sequences.push_back(std::move(sequence));
      }
      sinks.push_back(std::make_shared<RecordingSink>());
      EXPECT_OK(scheduler.Submit(std::move(spec), sinks.back()));
    }
    while (scheduler.HasWork()) scheduler.RunOneStep();
    std::vector<std::vector<int32_t>> tokens;
    for (const auto& sink : sinks) {
      EXPECT_OK(sink->done().value());
      std::vector<int32_t>& of = tokens.emplace_back();
      for (const TokenEvent& event : sink->tokens()) {
        if (event.sequence == 0) of.push_back(event.token.token);
      }
    }
    return tokens;
  };
  EXPECT_EQ(answers(2 * context), answers(0));
}

}  // namespace
}  // namespace alignsae
