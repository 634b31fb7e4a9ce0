// FakeStepExecutor: a StepExecutor without a model. The token after a prefix is
// a function of the prefix alone (or what a test scripts), so that tests can
// tell a sequence that was mixed up with another.
//
// It checks what every executor relies on: distinct slots, a cache that holds
// exactly the positions before `start`, observed positions inside the row.
//
// Thread-safety: Step from one thread, ReadFeatures from any; what scripts them
// is set before.

#ifndef ALIGNSAE_TESTS_SUPPORT_FAKE_STEP_EXECUTOR_H_
#define ALIGNSAE_TESTS_SUPPORT_FAKE_STEP_EXECUTOR_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/base/counter_rng.h"
#include "model/engine/step_executor.h"

namespace alignsae {

class FakeStepExecutor : public StepExecutor {
 public:
  explicit FakeStepExecutor(int kv_slots) : kv_slots_(kv_slots) {}

  // The token after `ids`, in [1, 90].
  static int32_t NextToken(const std::vector<int32_t>& ids) {
    uint64_t hash = 17;
    for (int32_t id : ids) hash = Mix64(hash ^ static_cast<uint64_t>(id));
    return static_cast<int32_t>(hash % 90) + 1;
  }
  // What greedy decoding gives after `prompt`.
  static std::vector<int32_t> Continue(std::vector<int32_t> prompt, int count) {
    std::vector<int32_t> answer;
    for (int i = 0; i < count; ++i) {
      answer.push_back(NextToken(prompt));
      prompt.push_back(answer.back());
    }
    return answer;
  }

  // Replaces NextToken.
  std::function<int32_t(const std::vector<int32_t>&)> next_token = &NextToken;
  float logprob = -0.5f;  // Of every token that is sampled.
  // Called at the start of every step; may move a clock.
  std::function<void()> before_step = [] {};
  // The status of a row; not OK gives no token.
  std::function<absl::Status(const StepRow&)> row_status = [](const StepRow&) {
    return absl::OkStatus();
  };

  // KL of a row from its reference.
  std::function<double(const StepRow&)> kl = [](const StepRow&) {
    return 0.125;
  };

  // What CheckIntervention says, which a parser asks.
  std::function<absl::Status(const Intervention&)> check_intervention =
      [](const Intervention&) { return absl::OkStatus(); };
  absl::Status read_features;  // What ReadFeatures says.
  // Called before every position that ReadFeatures encodes.
  std::function<void()> before_features = [] {};
  // Results that are missing at the end of every step.
  size_t lose_results = 0;
  // Every step so far, for inspection, unless keep_steps is off.
  bool keep_steps = true;
  std::vector<std::vector<StepRow>> steps;

  std::vector<RowResult> Step(absl::Span<const StepRow> rows) override {
    before_step();
    if (keep_steps) steps.emplace_back(rows.begin(), rows.end());
    std::set<int> slots;
    std::vector<RowResult> results;
    for (const StepRow& row : rows) {
      EXPECT_TRUE(slots.insert(row.kv_slot).second) << "slot taken twice";
      EXPECT_GE(row.kv_slot, 0);
      EXPECT_LT(row.kv_slot, kv_slots_);
      results.push_back(Run(row));
    }
    for (const StepRow& row : rows) CheckFork(row, rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].reference < 0) continue;
      EXPECT_TRUE(rows[rows[i].reference].interventions->empty());
      EXPECT_EQ(rows[rows[i].reference].tokens, rows[i].tokens)
          << "compared with a row that feeds something else";
      results[i].kl = kl(rows[i]);
    }
    results.resize(results.size() - std::min(lose_results, results.size()));
    return results;
  }

  absl::Status CheckIntervention(
      const Intervention& intervention) const override {
    return check_intervention(intervention);
  }
  absl::Status ReadFeatures(absl::Span<ConceptReading> readings, int top_k,
                            const WhyStop& why_stop) const override {
    for (ConceptReading& reading : readings) {
      const absl::Status stop = why_stop();
      if (!stop.ok()) return stop;
      before_features();
      EXPECT_FALSE(reading.residual.empty());
      reading.l0 = 5;
      reading.reconstruction_error = 0.125;
      for (int k = 0; k < top_k; ++k) {
        reading.top_features.push_back({k, 10.0f - static_cast<float>(k)});
      }
    }
    return read_features;
  }
  absl::StatusOr<SlotExplanation> ExplainSlot(int checkpoint, int slot,
                                              int top_k) const override {
    SlotExplanation explanation;
    explanation.direction_norm = 10 * checkpoint + slot;
    for (int k = 0; k < top_k; ++k) {
      const float logit = 9.0f - static_cast<float>(k);
      explanation.with_ln_f.top.push_back({65 + k, logit});
      explanation.with_ln_f.bottom.push_back({75 + k, -logit});
    }
    explanation.without_ln_f = explanation.with_ln_f;
    return explanation;
  }
  int kv_slots() const override { return kv_slots_; }

 private:
  // What a fork shares is not written to by anybody else.
  static void CheckFork(const StepRow& row, absl::Span<const StepRow> rows) {
    if (!row.fork.has_value()) return;
    EXPECT_EQ(row.fork->length, row.prompt_length);
    for (const StepRow& other : rows) {
      if (other.kv_slot == row.fork->kv_slot) {
        EXPECT_EQ(other.fork, row.fork) << "a shared KV slot was given away";
      }
    }
  }

  RowResult Run(const StepRow& row) {
    std::vector<int32_t>& cache = cache_[row.kv_slot];
    if (row.start == 0) cache.clear();
    EXPECT_EQ(static_cast<int>(cache.size()), row.start)
        << "the cache does not hold the positions before the row";
    EXPECT_FALSE(row.tokens.empty());
    cache.insert(cache.end(), row.tokens.begin(), row.tokens.end());
    RowResult result;
    result.status = row_status(row);
    if (!result.status.ok()) return result;
    for (const Observation& observation : row.observations) {
      for (int position : observation.positions) {
        EXPECT_GE(position, row.start);
        EXPECT_LT(position, static_cast<int>(cache.size()));
        result.readings.push_back(Read(observation, position, cache));
      }
    }
    for (const Intervention& intervention : *row.interventions) {
      InterventionReceipt receipt;
      for (size_t i = 0; i < row.tokens.size(); ++i) {
        const int position = row.start + static_cast<int>(i);
        if (!intervention.AppliesAt(position, row.prompt_length)) continue;
        if (const auto& when = intervention.when) {
          ++receipt.positions_checked;
          const Observation read = {.checkpoint = when->checkpoint};
          if (!Read(read, position, cache).Meets(*when)) continue;
        }
        PositionEffect effect;
        effect.position = position;
        effect.residual_norm = 2;
        effect.change_norm = intervention.alpha;
        if (intervention.measure) {
          effect.slots_before = {1, 2};
          effect.slots_after = {1, 2 + static_cast<float>(intervention.alpha)};
        }
        ++receipt.positions_applied;
        receipt.effects.push_back(effect);
      }
      result.receipts.push_back(std::move(receipt));
    }
    EXPECT_TRUE(row.scored.empty() ||
                row.scored.size() + (row.sampling.has_value() ? 1 : 0) ==
                    row.tokens.size());
    for (int32_t token : row.scored) {
      result.scores.push_back({token, logprob, {}});
      for (int i = 0; i < row.n_scored_logprobs; ++i) {
        result.scores.back().top.push_back({i, -1.0f - static_cast<float>(i)});
      }
    }
    if (row.sampling.has_value()) {
      result.sampled = SampledToken{next_token(cache), logprob, {}};
      for (int i = 0; i < row.sampling->n_logprobs; ++i) {
        result.sampled->top.push_back({i, -1.0f - static_cast<float>(i)});
      }
    }
    return result;
  }

  static ConceptReading Read(const Observation& observation, int position,
                             const std::vector<int32_t>& cache) {
    ConceptReading reading;
    reading.checkpoint = observation.checkpoint;
    reading.position = position;
    reading.values = {static_cast<float>(cache[position]), 0.25f};
    reading.probabilities = {0.75f, 0.25f};
    reading.margin = 0.5;
    reading.bound = true;
    reading.residual_norm = 3;
    if (observation.whole) reading.residual = {1, 2};
    return reading;
  }

  int kv_slots_;
  std::map<int, std::vector<int32_t>> cache_;  // By slot.
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_FAKE_STEP_EXECUTOR_H_
