#include "server/api/validate_stream.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/answer_match.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/endings.h"
#include "server/api/enter_lane.h"
#include "server/api/held_bytes.h"
#include "server/api/paced_refusal.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"

namespace alignsae {
namespace {

constexpr size_t kChunk = 8;  // Prompts or swaps of one turn.
constexpr absl::Duration kIdleWait = absl::Milliseconds(50);
constexpr absl::Duration kBetweenProgress = absl::Milliseconds(500);

// What the plan takes in memory, of the request that it is made of.
constexpr int64_t kPlanBytesPerByte = 8;

std::string TextOf(const SequenceAnswer& answer) {
  std::string text;
  for (const TokenEvent& token : answer.tokens) text += token.text;
  return text + answer.finished.text_tail;
}

}  // namespace

void ValidateStream::Begin() {
  const absl::Status taken = EnterLane(
      *call_, Lane::kBackground, static_cast<int64_t>(request_->ByteSizeLong()),
      [stream = shared_from_this()] {
        const absl::Status status =
            WithoutMemoryFailure([&stream] { return stream->Start(); });
        if (!status.ok()) stream->EndBeforeStart(status);
      });
  if (!taken.ok()) EndBeforeStart(taken);
}

void ValidateStream::EndBeforeStart(const absl::Status& status) {
  TellPaced(call_, status, static_cast<int64_t>(request_->ByteSizeLong()),
            [stream = shared_from_this(), status] {
              stream->EndWith(status, nullptr);
            });
}

absl::Status ValidateStream::Start() {
  ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(call_));
  ALIGNSAE_RETURN_IF_ERROR(call_->Hold(
      kPlanBytesPerByte * static_cast<int64_t>(request_->ByteSizeLong())));
  ALIGNSAE_ASSIGN_OR_RETURN(
      plan_, ParseValidateBinding(*request_, scope_.parse_env()));
  const Catalog& catalog = scope_.model->catalog();
  tally_.emplace(catalog.checkpoints[plan_.checkpoint]);
  {
    MutexLock lock(&mutex_);
    v1::ValidationStarted* started = message_.mutable_started();
    *started->mutable_info() =
        RenderInfo(catalog, call_->request_id(), plan_.checkpoint);
    started->set_prompt_count(static_cast<int>(plan_.reads.size()));
    started->set_swap_count(static_cast<int>(plan_.swaps.size()));
    started->set_stored(plan_.stored);
    writing_ = true;
    sink_->Write(message_);
  }
  Schedule(/*begun=*/false);
  return absl::OkStatus();
}

void ValidateStream::Schedule(bool begun) {
  const bool taken = call_->env().lanes->background.TrySchedule(
      {call_->owner(), [stream = shared_from_this()] { stream->Run(); },
       nullptr, begun});
  if (!taken) EndWith(LaneFull(*call_, Lane::kBackground), nullptr);
}

void ValidateStream::Run() {
  const WorkTime time(*call_);
  bool submitted = false;
  const absl::Status status = WithoutMemoryFailure([&]() -> absl::Status {
    // A drain does not wait for a validation.
    ALIGNSAE_RETURN_IF_ERROR(EnterCall(call_).status());
    if (done()) return absl::OkStatus();
    ALIGNSAE_ASSIGN_OR_RETURN(submitted, SubmitChunk());
    return absl::OkStatus();
  });
  if (!status.ok()) {
    EndWith(InTime(status), nullptr);
  } else if (done()) {
    Report();
  } else if (!submitted) {
    Schedule(/*begun=*/true);
  }
}

// The scheduler refuses a chunk for which the time left is too short. Between
// chunks that is the deadline of the whole.
absl::Status ValidateStream::InTime(const absl::Status& status) const {
  const bool begun = next_ > 0;
  return begun && ReasonOf(status) == kReasonDeadline ? DeadlinePassed()
                                                      : status;
}

absl::StatusOr<bool> ValidateStream::SubmitChunk() {
  if (!scope_.model->scheduler().WaitUntilIdle(kIdleWait)) return false;
  ALIGNSAE_ASSIGN_OR_RETURN(RequestSpec spec, NextChunk());
  if (next_ == 0) {  // All chunks are about as large.
    ALIGNSAE_RETURN_IF_ERROR(
        call_->Hold(2 * HeldBytes(spec, scope_.model->catalog())));
  }
  chunk_ = spec.sequences.size();
  auto collector = std::make_shared<AnswerCollector>(
      chunk_,
      [stream = shared_from_this()](const absl::Status& status,
                                    std::vector<SequenceAnswer> answers) {
        const auto shared =
            std::make_shared<std::vector<SequenceAnswer>>(std::move(answers));
        stream->call_->env().lanes->background.Schedule(
            [stream, status, shared] { stream->Take(status, *shared); });
      });
  ALIGNSAE_RETURN_IF_ERROR(
      scope_.Submit(std::move(spec), std::move(collector)).status());
  return true;
}

absl::StatusOr<RequestSpec> ValidateStream::NextChunk() const {
  RequestSpec spec;
  const size_t reads = plan_.reads.size();
  const bool reading = next_ < reads;
  const size_t end =
      std::min(next_ + kChunk, reading ? reads : reads + plan_.swaps.size());
  for (size_t i = next_; i < end; ++i) {
    if (reading) {
      spec.sequences.push_back(ReadOf(plan_, plan_.reads[i]));
      continue;
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        spec.sequences.emplace_back(),
        SwapOf(plan_, plan_.swaps[i - reads], scope_.parse_env()));
  }
  return spec;
}

void ValidateStream::Take(const absl::Status& status,
                          std::vector<SequenceAnswer>& answers) {
  if (!status.ok()) {
    EndWith(InTime(status), nullptr);
    return;
  }
  Count(answers);
  TellProgress();
  Schedule(/*begun=*/true);
}

void ValidateStream::Count(std::vector<SequenceAnswer>& answers) {
  const size_t reads = plan_.reads.size();
  const Catalog& catalog = scope_.model->catalog();
  for (const SequenceAnswer& answer : answers) {
    call_->AddFinished(answer.finished);
    if (next_ < reads) {
      tally_->CountReading(plan_.reads[next_].asked,
                           WholeReading(answer.finished, catalog));
    } else {
      const ValidationPlan::Swap& swap = plan_.swaps[next_ - reads];
      tally_->CountSwap(swap.target,
                        WholeAnswerMatches(swap.answer, TextOf(answer)));
    }
    ++next_;
  }
}

void ValidateStream::TellProgress() {
  const absl::Time now = call_->env().clock->Now();
  MutexLock lock(&mutex_);
  if (writing_ || finished_ || now - told_ < kBetweenProgress) return;
  told_ = now;
  v1::ValidationProgress* progress = message_.mutable_progress();
  progress->set_prompts_done(tally_->readings());
  progress->set_swaps_done(tally_->swaps());
  writing_ = true;
  sink_->Write(message_);
}

void ValidateStream::Report() {
  const Catalog& catalog = scope_.model->catalog();
  v1::ValidationReport* report = report_.mutable_report();
  *report->mutable_info() =
      RenderInfo(catalog, call_->request_id(), plan_.checkpoint);
  tally_->Render(report);
  // What a caller's own prompts give is no fact about the checkpoint.
  if (plan_.stored && report->has_read()) {
    call_->env().metrics->SetValidatedBinding(
        catalog.checkpoints[plan_.checkpoint].name, tally_->read_rate());
  }
  EndWith(absl::OkStatus(), &report_);
}

void ValidateStream::OnWritten(bool ok) {
  if (!ok) call_->Cancel();  // Seen before the next chunk.
  MutexLock lock(&mutex_);
  writing_ = false;
  if (finished_ || !reported_) return;
  if (ok) {
    End(absl::OkStatus(), &report_);
  } else {
    End(CancelledByClient(), nullptr);
  }
}

void ValidateStream::EndWith(const absl::Status& status,
                             const v1::ValidateBindingResponse* report) {
  MutexLock lock(&mutex_);
  if (finished_) return;
  if (report != nullptr && writing_) {  // One message at a time.
    reported_ = true;
    GuardUnread();
    return;
  }
  End(status, report);
}

void ValidateStream::End(const absl::Status& status,
                         const v1::ValidateBindingResponse* report) {
  finished_ = true;
  GuardUnread();
  sink_->Finish(report, call_->End(status));
}

void ValidateStream::GuardUnread() {
  if (guarded_) return;
  guarded_ = true;
  sink_->GiveUpAfter(call_->env().unread.max_age);
}

}  // namespace alignsae
