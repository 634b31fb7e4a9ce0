// FakeStepExecutor: a StepExecutor without a model. The token after a prefix is
// a function of the prefix alone (or what a test scripts), so that tests can
// tell a sequence that was mixed up with another.
//
// It checks what every executor relies on: distinct slots, a cache that holds
// exactly the positions before `start`, as this row's own interventions and no
// others leave them and in as many blocks as it runs through, observed
// positions inside the row.
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
  // Without `kv_tokens`, sequences of any length.
  explicit FakeStepExecutor(int kv_slots, int64_t kv_tokens = 0)
      : kv_slots_(kv_slots),
        kv_tokens_(kv_tokens > 0 ? kv_tokens : kv_slots * int64_t{1000000}) {}

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
  // Blocks of the model, and at which site each checkpoint reads.
  int n_layer = 4;
  std::vector<int> sites = {1, 3};
  absl::Status copy_kv;  // What CopyKv says.
  std::vector<KvCopy> copies;
  int trims = 0;  // Calls of TrimKv.
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
      TakeShared(row);
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

  absl::Status CopyKv(const KvCopy& copy) override {
    if (keep_steps) copies.push_back(copy);
    if (!copy_kv.ok()) return copy_kv;
    std::vector<Cached> copied = cache_[copy.from];
    EXPECT_LE(copy.positions, static_cast<int>(copied.size()));
    EXPECT_LE(copy.layers, n_layer);
    copied.resize(copy.positions);
    for (Cached& at : copied) at.layers = std::min(at.layers, copy.layers);
    Write(copy.to, {0, copy.positions});
    cache_[copy.to] = std::move(copied);
    return absl::OkStatus();
  }
  // Whether the slot begins with `tokens`, without edits, in so many blocks.
  bool Holds(int kv_slot, const std::vector<int32_t>& tokens, int layers) {
    const std::vector<Cached>& held = cache_[kv_slot];
    if (held.size() < tokens.size()) return false;
    const std::vector<Intervention> none;
    uint64_t state = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      state = After(state, tokens[i], static_cast<int>(i), none, 0);
      if (held[i].state != state || held[i].layers < layers) return false;
    }
    return true;
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
  int64_t kv_tokens() const override { return kv_tokens_; }
  void TrimKv(int kv_slot, const KvRange& keep) override {
    ++trims;
    KvRange& memory = memory_[kv_slot];
    memory.end = std::min(memory.end, keep.end);
    memory.begin = std::min(std::max(memory.begin, keep.begin), memory.end);
    std::vector<Cached>& cache = cache_[kv_slot];
    if (keep.end < static_cast<int>(cache.size())) cache.resize(keep.end);
    // What is read in another slot is not lost.
    for (int i = shared_[kv_slot]; i < keep.begin; ++i) {
      if (i < static_cast<int>(cache.size())) cache[i] = {};
    }
  }
  // Positions of all slots that have memory: what was written and not trimmed.
  int64_t tokens_resident() const {
    int64_t tokens = 0;
    for (const auto& [slot, range] : memory_) tokens += range.size();
    return tokens;
  }

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

  // One position of a slot.
  struct Cached {
    int32_t token = 0;
    uint64_t state = 0;  // Of all tokens and edits up to it.
    int layers = 0;      // Blocks that have it.
  };

  static uint64_t After(uint64_t state, int32_t token, int position,
                        const std::vector<Intervention>& interventions,
                        int prompt_length) {
    state = Mix64(state ^ static_cast<uint64_t>(token));
    for (size_t i = 0; i < interventions.size(); ++i) {
      if (!interventions[i].AppliesAt(position, prompt_length)) continue;
      state = Mix64(state ^ (1000 + i));
    }
    return state;
  }

  int LayersOf(const StepRow& row) const {
    if (!row.leave_after_observations) return n_layer;
    int layers = 0;
    for (const Observation& observation : row.observations) {
      const size_t checkpoint = observation.checkpoint;
      layers = std::max(
          layers, checkpoint < sites.size() ? sites[checkpoint] : n_layer);
    }
    return layers;
  }

  void Write(int kv_slot, const KvRange& range) {
    KvRange& memory = memory_[kv_slot];
    memory = memory.size() == 0 ? range
                                : KvRange{std::min(memory.begin, range.begin),
                                          std::max(memory.end, range.end)};
  }

  // What a fork shares is in the KV slot of its first row, which only adds to
  // it.
  void TakeShared(const StepRow& row) {
    if (!row.fork.has_value() || row.fork->kv_slot == row.kv_slot ||
        row.start > row.fork->position) {
      return;
    }
    const std::vector<Cached>& shared = cache_[row.fork->kv_slot];
    ASSERT_GE(static_cast<int>(shared.size()), row.start);
    cache_[row.kv_slot].assign(shared.begin(), shared.begin() + row.start);
  }

  // Appends the row's tokens to its slot; all ids that are there then.
  std::vector<int32_t> Feed(const StepRow& row) {
    std::vector<Cached>& cache = cache_[row.kv_slot];
    if (row.start == 0) cache.clear();
    const int end = row.start + static_cast<int>(row.tokens.size());
    const bool reads_another =
        row.fork.has_value() && row.fork->kv_slot != row.kv_slot;
    int& shared = shared_[row.kv_slot];
    shared = reads_another ? row.fork->position : 0;
    if (shared < end) Write(row.kv_slot, {std::max(row.start, shared), end});
    EXPECT_EQ(static_cast<int>(cache.size()), row.start)
        << "the cache does not hold the positions before the row";
    EXPECT_FALSE(row.tokens.empty());
    const int layers = LayersOf(row);
    uint64_t state = 0;
    std::vector<int32_t> ids;
    for (const Cached& at : cache) {
      state = After(state, at.token, static_cast<int>(ids.size()),
                    *row.interventions, row.prompt_length);
      ids.push_back(at.token);
      EXPECT_EQ(at.state, state) << "edited otherwise than the row is";
      EXPECT_GE(at.layers, layers) << "not in all blocks";
    }
    for (int32_t token : row.tokens) {
      state = After(state, token, static_cast<int>(ids.size()),
                    *row.interventions, row.prompt_length);
      ids.push_back(token);
      cache.push_back({token, state, layers});
    }
    return ids;
  }

  RowResult Run(const StepRow& row) {
    const std::vector<int32_t> cache = Feed(row);
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
          Observation read;
          read.checkpoint = when->checkpoint;
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
  int64_t kv_tokens_;
  // By slot.
  std::map<int, std::vector<Cached>> cache_;
  std::map<int, KvRange> memory_;  // What was written and not trimmed.
  std::map<int, int> shared_;      // Positions that are read in another one.
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_FAKE_STEP_EXECUTOR_H_
