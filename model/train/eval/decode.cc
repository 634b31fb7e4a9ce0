#include "model/train/eval/decode.h"

#include <algorithm>
#include <utility>

namespace alignsae {
namespace {

// One KV slot and the arm that runs in it.
struct Lane {
  int job = -1;  // -1: idle.
  int arm = 0;
  ArmInterventions interventions;
  ArmAnswer answer;
  int cached = 0;  // Positions in the slot that the next row builds on.
};

class Decoder {
 public:
  Decoder(StepExecutor& executor, absl::Span<const DecodeJob> jobs,
          const DecodeOptions& options, const DecodeCalls& calls)
      : executor_(executor),
        jobs_(jobs),
        options_(options),
        calls_(calls),
        lanes_(std::min<size_t>(executor.kv_slots(), jobs.size())) {}

  absl::Status Run() {
    for (Lane& lane : lanes_) TakeJob(lane);
    while (true) {
      std::vector<StepRow> rows;
      std::vector<Lane*> owners;
      for (size_t i = 0; i < lanes_.size(); ++i) {
        if (lanes_[i].job < 0) continue;
        rows.push_back(MakeRow(lanes_[i], static_cast<int>(i)));
        owners.push_back(&lanes_[i]);
      }
      if (rows.empty()) return absl::OkStatus();
      const std::vector<RowResult> results = executor_.Step(rows);
      for (size_t i = 0; i < owners.size(); ++i) {
        const absl::Status status = Accept(*owners[i], results[i]);
        if (!status.ok()) return status;
      }
      if (!calls_.on_step) continue;
      const absl::Status status = calls_.on_step(done_);
      if (!status.ok()) return status;
    }
  }

 private:
  absl::Span<const int32_t> Prompt(const Lane& lane) const {
    return jobs_[lane.job].prompt;
  }
  int PromptLength(const Lane& lane) const {
    return static_cast<int>(Prompt(lane).size());
  }

  void TakeJob(Lane& lane) {
    lane = Lane();
    while (next_job_ < static_cast<int>(jobs_.size()) &&
           jobs_[next_job_].arms == 0) {
      ++next_job_;
    }
    if (next_job_ == static_cast<int>(jobs_.size())) return;
    lane.job = next_job_++;
    StartArm(lane, 0, /*cached=*/0);
  }

  void StartArm(Lane& lane, int arm, int cached) {
    lane.arm = arm;
    lane.interventions = calls_.interventions(lane.job, arm);
    lane.answer = ArmAnswer();
    lane.cached = cached;
  }

  StepRow MakeRow(const Lane& lane, int slot) const {
    StepRow row;
    row.kv_slot = slot;
    row.start = lane.cached;
    row.prompt_length = PromptLength(lane);
    row.interventions = lane.interventions;
    row.sampling = SamplingParams();  // Greedy.
    if (lane.cached < row.prompt_length) {
      row.tokens.assign(Prompt(lane).begin() + lane.cached, Prompt(lane).end());
    } else {
      row.tokens = {lane.answer.tokens.back()};
    }
    return row;
  }

  absl::Status Accept(Lane& lane, const RowResult& result) {
    bool done = false;
    if (result.status.code() == absl::StatusCode::kOutOfRange) {
      lane.answer.failed = done = true;
    } else if (!result.status.ok()) {
      return result.status;
    } else if (!result.sampled.has_value()) {
      return absl::InternalError("step row: no token for a sampled row");
    } else if (result.sampled->token == options_.eos) {
      lane.answer.ended = done = true;
    } else {
      lane.answer.tokens.push_back(result.sampled->token);
      const int generated = static_cast<int>(lane.answer.tokens.size());
      lane.cached = PromptLength(lane) + generated - 1;
      done = generated >= options_.max_tokens ||
             lane.cached >= options_.context_length;
    }
    if (!done) return absl::OkStatus();
    ++done_;
    calls_.on_answer(lane.job, lane.arm, lane.answer);
    if (lane.arm + 1 < jobs_[lane.job].arms) {
      StartArm(lane, lane.arm + 1, PromptLength(lane) - 1);
    } else {
      TakeJob(lane);
    }
    return absl::OkStatus();
  }

  StepExecutor& executor_;
  absl::Span<const DecodeJob> jobs_;
  const DecodeOptions& options_;
  const DecodeCalls& calls_;
  std::vector<Lane> lanes_;
  int next_job_ = 0;
  int64_t done_ = 0;  // Arms.
};

}  // namespace

absl::Status DecodeArms(StepExecutor& executor,
                        absl::Span<const DecodeJob> jobs,
                        const DecodeOptions& options,
                        const DecodeCalls& calls) {
  return Decoder(executor, jobs, options, calls).Run();
}

}  // namespace alignsae
