// ScriptedExecutor: a StepExecutor whose answers a test writes down. It keeps
// the tokens of each slot as a KV cache would, so that a row which builds on
// positions that are not there is caught.
//
// Thread-safety: one thread.

#ifndef ALIGNSAE_TESTS_TRAIN_SCRIPTED_EXECUTOR_H_
#define ALIGNSAE_TESTS_TRAIN_SCRIPTED_EXECUTOR_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"

namespace alignsae {

// A model of one block with context 64, and four checkpoints at its end.
inline Catalog OneBlock(int32_t eos) {
  Catalog catalog;
  catalog.model.n_layer = 1;
  catalog.model.context_length = 64;
  catalog.model.eos_token_ids = {eos};
  catalog.checkpoints.resize(4);
  for (CheckpointInfo& checkpoint : catalog.checkpoints) {
    checkpoint.hook = {HookKind::kResidPost, 0};
  }
  return catalog;
}

class ScriptedExecutor : public StepExecutor {
 public:
  using Tokens = std::vector<int32_t>;
  // All tokens that follow `prompt` under `edits`.
  using Script = std::function<Tokens(const Tokens& prompt,
                                      const std::vector<Intervention>& edits)>;

  ScriptedExecutor(int kv_slots, Script script)
      : kv_slots_(kv_slots), script_(std::move(script)) {}

  // May refuse a row; called for every one.
  std::function<absl::Status(const StepRow&)> row_status = [](const StepRow&) {
    return absl::OkStatus();
  };
  std::function<absl::Status(const Intervention&)> check =
      [](const Intervention&) { return absl::OkStatus(); };
  // Answers an observation of a prompt's last position.
  std::function<ConceptReading(const Tokens& prompt)> read;

  int64_t tokens_run = 0;  // What a fork shares counts once.
  size_t most_rows = 0;

  std::vector<RowResult> Step(absl::Span<const StepRow> rows) override {
    most_rows = std::max(most_rows, rows.size());
    std::vector<RowResult> results;
    for (const StepRow& row : rows) results.push_back(Run(row));
    return results;
  }
  absl::Status CopyKv(const KvCopy& copy) override {
    return absl::UnimplementedError("a script keeps no prefixes");
  }
  absl::Status CheckIntervention(const Intervention& edit) const override {
    return check(edit);
  }
  absl::Status ReadFeatures(absl::Span<ConceptReading> readings, int top_k,
                            const WhyStop& why_stop) const override {
    return absl::UnimplementedError("a script has no features");
  }
  absl::StatusOr<SlotExplanation> ExplainSlot(int checkpoint, int slot,
                                              int top_k) const override {
    return absl::UnimplementedError("a script has no slots");
  }
  void TrimKv(int kv_slot, const KvRange& keep) override {}
  int kv_slots() const override { return kv_slots_; }
  int64_t kv_tokens() const override { return kv_slots_ * int64_t{1000000}; }

 private:
  struct Sequence {
    Tokens tokens;
    Tokens answer;
  };

  // Tokens of `row` that its fork's lead computes.
  static int64_t Shared(const StepRow& row) {
    if (!row.fork.has_value() || row.fork->kv_slot == row.kv_slot) return 0;
    return std::max(0, row.fork->position - row.start);
  }

  RowResult Run(const StepRow& row) {
    RowResult result;
    Sequence& sequence = slots_[row.kv_slot];
    EXPECT_LT(row.kv_slot, kv_slots_);
    EXPECT_LE(row.start, static_cast<int>(sequence.tokens.size()))
        << "the cache does not hold what the row builds on";
    sequence.tokens.resize(row.start);
    sequence.tokens.insert(sequence.tokens.end(), row.tokens.begin(),
                           row.tokens.end());
    tokens_run += static_cast<int64_t>(row.tokens.size()) - Shared(row);
    result.receipts.resize(row.interventions->size());
    result.status = row_status(row);
    if (!result.status.ok()) return result;
    const Tokens prompt(sequence.tokens.begin(),
                        sequence.tokens.begin() + row.prompt_length);
    if (row.start < row.prompt_length) {
      for (const Intervention& edit : *row.interventions) {
        EXPECT_EQ(edit.positions.prompt,
                  std::vector<int>{row.prompt_length - 1})
            << "arms share what lies before the last prompt position";
      }
      if (row.sampling.has_value()) {
        sequence.answer = script_(prompt, *row.interventions);
      }
    }
    for (size_t i = 0; i < row.observations.size(); ++i) {
      result.readings.push_back(read(prompt));
    }
    if (row.sampling.has_value()) {
      const size_t next = sequence.tokens.size() - row.prompt_length;
      SampledToken token;
      token.token = sequence.answer.at(next);
      result.sampled = token;
    }
    return result;
  }

  int kv_slots_;
  Script script_;
  std::map<int, Sequence> slots_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TRAIN_SCRIPTED_EXECUTOR_H_
