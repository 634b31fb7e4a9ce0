#include "model/scheduler/sequence.h"

#include <algorithm>
#include <utility>

#include "model/base/status_macros.h"
#include "model/scheduler/prefix_rules.h"

namespace alignsae {

Sequence::Sequence(const SequenceSpec* spec, int index, const SequenceEnv* env,
                   int taken)
    : spec_(spec),
      index_(index),
      env_(env),
      taken_(taken),
      fed_(taken),
      matcher_(spec->stop_sequences),
      receipts_(spec->interventions->size()),
      readings_(spec->observations.size()) {
  if (spec->measure) {
    meter_.emplace(*spec->interventions, spec->guard, *env->catalog);
  }
  PlanObservations();
}

void Sequence::PlanObservations() {
  const std::vector<CheckpointInfo>& checkpoints = env_->catalog->checkpoints;
  observations_ = spec_->observations;
  const int last_site = BlocksOf(*spec_, *env_->catalog);
  const int last = static_cast<int>(spec_->prompt.size()) - 1;
  for (size_t c = 0; c < checkpoints.size(); ++c) {
    if (checkpoints[c].concepts.empty()) continue;
    if (checkpoints[c].hook.site_behind() > last_site) continue;
    Observation observation;
    observation.checkpoint = static_cast<int>(c);
    observation.positions = {last};
    observations_.push_back(std::move(observation));
  }
}

int Sequence::prompt_left() const {
  return std::max(0, static_cast<int>(spec_->prompt.size()) - fed_);
}

std::vector<int32_t> Sequence::CachedTokens(int most) const {
  const size_t count = std::min(most, fed_);
  const size_t of_prompt = std::min(count, spec_->prompt.size());
  const auto prompt = spec_->prompt.begin();
  std::vector<int32_t> tokens(prompt, prompt + of_prompt);
  tokens.insert(tokens.end(), generated_.begin(),
                generated_.begin() + (count - of_prompt));
  return tokens;
}

StepRow Sequence::NextRow(int kv_slot, int max_prompt_tokens) const {
  StepRow row;
  row.kv_slot = kv_slot;
  row.start = fed_;
  row.prompt_length = static_cast<int>(spec_->prompt.size());
  row.interventions = spec_->interventions;
  if (prompt_left() > 0) {
    AddPromptRow(std::min(prompt_left(), std::max(1, max_prompt_tokens)), row);
  } else {
    row.tokens = {generated_.back()};
    row.sampling = Sampling();
    if ((spec_->trace || spec_->abort_when.has_value()) &&
        spec_->reading_checkpoint.has_value()) {
      Observation trace;
      trace.checkpoint = *spec_->reading_checkpoint;
      trace.positions = {fed_};
      row.observations.push_back(std::move(trace));
    }
  }
  if (row.sampling.has_value() && row.sampling->needs_history()) {
    row.history = spec_->prompt;
    row.history.insert(row.history.end(), generated_.begin(), generated_.end());
  }
  return row;
}

SamplingParams Sequence::Sampling() const {
  SamplingParams sampling = spec_->sampling;
  if (generated_tokens() < spec_->min_new_tokens) {
    sampling.banned = env_->catalog->model.eos_token_ids;
  }
  return sampling;
}

void Sequence::AddPromptRow(int tokens, StepRow& row) const {
  const auto begin = spec_->prompt.begin() + fed_;
  row.tokens.assign(begin, begin + tokens);
  if (spec_->prompt_logprobs.has_value()) {
    const int last = tokens == prompt_left() ? tokens : tokens + 1;
    row.scored.assign(begin + 1, begin + last);
    row.n_scored_logprobs = *spec_->prompt_logprobs;
  }
  for (const Observation& planned : observations_) {
    Observation observation = planned;
    observation.positions.clear();
    for (int position : planned.positions) {
      if (position >= fed_ && position < fed_ + tokens) {
        observation.positions.push_back(position);
      }
    }
    // One without positions still says how far a readout must run.
    row.observations.push_back(std::move(observation));
  }
  row.leave_after_observations = is_readout();
  if (!is_readout() && tokens == prompt_left()) row.sampling = Sampling();
}

absl::StatusOr<Sequence::Progress> Sequence::Consume(const StepRow& row,
                                                     RowResult result) {
  ALIGNSAE_RETURN_IF_ERROR(result.status);
  if (result.receipts.size() != receipts_.size() ||
      row.sampling.has_value() != result.sampled.has_value() ||
      row.scored.size() != result.scores.size()) {
    return absl::InternalError("step: the result does not fit the row");
  }
  Progress progress;
  const bool samples = result.sampled.has_value();
  if (meter_.has_value()) {
    meter_->Add(result.receipts, result.kl,
                row.start + static_cast<int>(row.tokens.size()));
    // In the middle of a prompt it goes on with the others to its end.
    if (samples && meter_->stopped().has_value()) {
      progress.finished = FinishReason::kGuard;
    }
  }
  for (size_t i = 0; i < receipts_.size(); ++i) {
    receipts_[i].Merge(result.receipts[i]);
  }
  ALIGNSAE_RETURN_IF_ERROR(
      TakeReadings(row, std::move(result.readings), progress));
  TakeScores(row, std::move(result.scores), progress);
  fed_ += static_cast<int>(row.tokens.size());
  if (progress.finished.has_value()) return progress;  // Aborted, or a guard.
  if (samples) {
    TakeToken(row, *std::move(result.sampled), progress);
  } else if (is_readout() && prompt_left() == 0) {
    progress.finished = FinishReason::kLength;
  }
  return progress;
}

absl::Status Sequence::TakeReadings(const StepRow& row,
                                    std::vector<ConceptReading> readings,
                                    Progress& progress) {
  const bool prompt = row.start < row.prompt_length;
  size_t next = 0;
  for (size_t k = 0; k < row.observations.size(); ++k) {
    for (size_t i = 0; i < row.observations[k].positions.size(); ++i) {
      if (next == readings.size()) {
        return absl::InternalError("step: readings are missing");
      }
      ConceptReading& reading = readings[next++];
      if (!prompt) {
        if (spec_->abort_when.has_value() &&
            reading.Meets(*spec_->abort_when)) {
          progress.finished = FinishReason::kAborted;
        }
        if (!spec_->trace) continue;
        progress.events.push_back(TraceEvent{index_, std::move(reading)});
      } else if (k < readings_.size()) {
        readings_[k].push_back(std::move(reading));
      } else {
        if (reading.checkpoint == spec_->reading_checkpoint) {
          prompt_reading_ = reading;
        }
        progress.prompt_readings.push_back(std::move(reading));
      }
    }
  }
  return absl::OkStatus();
}

void Sequence::TakeScores(const StepRow& row, std::vector<SampledToken> scores,
                          Progress& progress) const {
  if (!spec_->prompt_logprobs.has_value() || prompt_left() == 0) return;
  int position = row.start + 1;
  if (row.start == 0) {
    SampledToken first;
    first.token = row.tokens.front();
    scores.insert(scores.begin(), std::move(first));
    position = 0;
  }
  for (size_t i = 0; i < scores.size(); ++i) {
    if (i % kPromptEventTokens == 0) {
      progress.events.emplace_back(
          PromptEvent{index_, position + static_cast<int>(i), {}});
    }
    std::get<PromptEvent>(progress.events.back())
        .tokens.push_back(std::move(scores[i]));
  }
}

void Sequence::TakeToken(const StepRow& row, SampledToken token,
                         Progress& progress) {
  const int32_t id = token.token;
  generated_.push_back(id);
  total_logprob_ += token.logprob;
  TokenEvent event;
  event.sequence = index_;
  event.position = row.start + static_cast<int>(row.tokens.size());
  event.token = std::move(token);
  const std::vector<int32_t>& ends = env_->catalog->model.eos_token_ids;
  if (!spec_->ignore_eos &&
      std::find(ends.begin(), ends.end(), id) != ends.end()) {
    progress.finished = FinishReason::kEos;
  } else {
    StopMatcher::Result matched = matcher_.Push(env_->token_bytes(id));
    event.text = std::move(matched.released);
    if (matched.stop_index.has_value()) {
      stop_index_ = *matched.stop_index;
      progress.finished = FinishReason::kStop;
    } else if (generated_tokens() >= spec_->max_new_tokens) {
      progress.finished = FinishReason::kLength;
    }
  }
  progress.events.push_back(std::move(event));
}

SequenceFinished Sequence::Finish(FinishReason reason) {
  SequenceFinished finished;
  finished.sequence = index_;
  finished.reason = reason;
  finished.text_tail = matcher_.Finish();
  finished.stop_index = reason == FinishReason::kStop ? stop_index_ : -1;
  finished.prompt_tokens = static_cast<int>(spec_->prompt.size());
  finished.taken_tokens = taken_;
  finished.generated_tokens = generated_tokens();
  finished.total_logprob = total_logprob_;
  finished.receipts = std::move(receipts_);
  finished.prompt_reading = std::move(prompt_reading_);
  if (meter_.has_value()) {
    finished.effects = meter_->effects();
    if (reason == FinishReason::kGuard) finished.guard = meter_->stopped();
  }
  for (std::vector<ConceptReading>& readings : readings_) {
    finished.readings.insert(finished.readings.end(),
                             std::make_move_iterator(readings.begin()),
                             std::make_move_iterator(readings.end()));
  }
  return finished;
}

}  // namespace alignsae
