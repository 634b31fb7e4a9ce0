// Sequence: one running prompt and its answer. Makes the sequence's row of the
// next step and takes what came out of it.
//
// Pure state: no clock, no lock, no KV slot of its own (the scheduler names
// it). Nothing blocks. NextRow copies the tokens that it feeds, and all ids so
// far when a penalty needs them: at most 4 KB at a context of 1024.
//
// Thread-safety: not thread-safe; the step thread owns it.
// Errors: Consume passes on a row's OUT_OF_RANGE; INTERNAL when the executor's
// result does not fit the row.

#ifndef ALIGNSAE_MODEL_SCHEDULER_SEQUENCE_H_
#define ALIGNSAE_MODEL_SCHEDULER_SEQUENCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/scheduler/request.h"
#include "model/scheduler/stop_matcher.h"
#include "model/steering/catalog.h"

namespace alignsae {

// The bytes of a token as text: empty for special tokens and for ids that have
// none. Thread-safe. What it returns outlives the scheduler.
using TokenBytesFn = std::function<absl::string_view(int32_t)>;

// What all sequences share.
struct SequenceEnv {
  std::shared_ptr<const Catalog> catalog;
  TokenBytesFn token_bytes;
};

class Sequence {
 public:
  // `spec` and `env` must outlive the sequence. The first `taken` tokens of the
  // prompt, not all, are in the cache already.
  Sequence(const SequenceSpec* spec, int index, const SequenceEnv* env,
           int taken = 0);

  // Prompt tokens that are not in the cache yet; 0 once the answer is running.
  int prompt_left() const;
  int prompt_length() const { return static_cast<int>(spec_->prompt.size()); }
  bool is_readout() const { return spec_->max_new_tokens == 0; }
  int index() const { return index_; }  // In RequestSpec::sequences.
  bool is_follower() const { return spec_->follows.has_value(); }
  int leader() const { return *spec_->follows; }  // With is_follower().
  int taken() const { return taken_; }
  int generated_tokens() const { return static_cast<int>(generated_.size()); }

  // Tokens of prompt and answer that are in the cache, the first `most`.
  std::vector<int32_t> CachedTokens(int most) const;

  // The row of the next step. While prompt_left() > 0 it feeds
  // min(max_prompt_tokens, prompt_left()) tokens of the prompt.
  StepRow NextRow(int kv_slot, int max_prompt_tokens) const;

  struct Progress {
    // PromptEvent, TokenEvent and TraceEvent.
    std::vector<RequestEvent> events;
    // Set when the sequence has ended.
    std::optional<FinishReason> finished;
    // At the last prompt token, one for each checkpoint whose hook was passed.
    std::vector<ConceptReading> prompt_readings;
  };
  absl::StatusOr<Progress> Consume(const StepRow& row, RowResult result);

  // The last event. The sequence is of no use after it.
  SequenceFinished Finish(FinishReason reason);

 private:
  // The spec's observations, then one at the last prompt token for every
  // checkpoint whose hook the prompt passes.
  void PlanObservations();
  // The spec's, with what may not be chosen yet.
  SamplingParams Sampling() const;
  void AddPromptRow(int tokens, StepRow& row) const;
  absl::Status TakeReadings(const StepRow& row,
                            std::vector<ConceptReading> readings,
                            Progress& progress);
  void TakeScores(const StepRow& row, std::vector<SampledToken> scores,
                  Progress& progress) const;
  void TakeToken(const StepRow& row, SampledToken token, Progress& progress);

  const SequenceSpec* spec_;
  int index_;
  const SequenceEnv* env_;
  std::vector<Observation> observations_;  // spec_->observations come first.
  int taken_;
  int fed_;  // Positions in the cache.
  std::vector<int32_t> generated_;
  StopMatcher matcher_;
  int stop_index_ = -1;
  double total_logprob_ = 0;
  std::optional<SideEffectMeter> meter_;  // Where the spec measures.
  std::vector<InterventionReceipt> receipts_;
  std::optional<ConceptReading> prompt_reading_;
  // [observation of the spec] readings so far.
  std::vector<std::vector<ConceptReading>> readings_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_SEQUENCE_H_
