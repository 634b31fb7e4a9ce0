#include "server/rpc/generate_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/status_macros.h"
#include "server/rpc/methods.h"
#include "server/rpc/random_id.h"
#include "server/rpc/render_answer.h"
#include "server/rpc/render_catalog.h"

namespace alignsae {
namespace {

// What a slow reader gets to take the message that is under way, so that it
// learns why its call ends.
constexpr absl::Duration kLastChance = absl::Seconds(1);

}  // namespace

GenerateStream* GenerateStream::Start(const RpcEnv* env,
                                      grpc::CallbackServerContext* context,
                                      const v1::GenerateRequest* request) {
  auto stream = std::make_shared<GenerateStream>(env, context, request);
  stream->self_ = stream;
  if (!env->workers->TrySchedule([stream] { stream->Run(); })) {
    MutexLock lock(&stream->mutex_);
    stream->End(WorkersBusy(stream->call_));
  }
  return stream.get();
}

GenerateStream::GenerateStream(const RpcEnv* env,
                               grpc::CallbackServerContext* context,
                               const v1::GenerateRequest* request)
    : call_(env, kGenerate, context), request_(request) {}

void GenerateStream::Run() {
  const absl::Status status = Submit();
  if (status.ok()) return;
  MutexLock lock(&mutex_);
  End(status);
}

absl::Status GenerateStream::Submit() {
  ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(&call_));
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedGeneration parsed,
      ParseGenerate(*request_, scope_.parse_env(), RandomUint64()));
  parsed.spec.deadline = call_.deadline();
  auto events = std::make_shared<EventQueue>(
      call_.env().unread, call_.env().clock,
      [weak = weak_from_this(), workers = call_.env().workers] {
        workers->Schedule([weak] {
          if (const auto stream = weak.lock()) stream->Pump();
        });
      });
  // Held over Submit, so that `started` goes out before the first event.
  MutexLock lock(&mutex_);
  ALIGNSAE_ASSIGN_OR_RETURN(
      RequestHandle handle,
      scope_.serving->scheduler->Submit(parsed.spec, events));
  if (cancelled_) handle.Cancel();
  handle_ = std::move(handle);
  events_ = std::move(events);
  arms_.resize(parsed.arms.size());
  parsed_ = std::move(parsed);
  RenderStarted();
  writing_ = true;
  StartWrite(&message_);
  return absl::OkStatus();
}

void GenerateStream::OnWriteDone(bool ok) {
  MutexLock lock(&mutex_);
  writing_ = false;
  if (!ok) {
    broken_ = true;
    if (handle_.has_value()) handle_->Cancel();
  }
  PumpLocked();
}

void GenerateStream::OnCancel() {
  MutexLock lock(&mutex_);
  cancelled_ = true;
  if (handle_.has_value()) handle_->Cancel();
}

void GenerateStream::OnDone() {
  unread_alarm_.Cancel();
  {
    MutexLock lock(&mutex_);
    done_ = true;
  }
  self_.reset();
}

void GenerateStream::Pump() {
  MutexLock lock(&mutex_);
  PumpLocked();
}

void GenerateStream::PumpLocked() {
  if (finished_) return;
  const std::optional<absl::Status> end = events_->end();
  const bool slow = end.has_value() && absl::IsResourceExhausted(*end);
  if (writing_) {
    if (end.has_value())
      GuardUnread(slow ? kLastChance : call_.env().unread.max_age);
    return;
  }
  if (slow) {  // Not worth writing what it left unread.
    End(*end);
    return;
  }
  while (std::optional<RequestEvent> event = events_->Pop()) {
    if (const auto* done = std::get_if<RequestDone>(&*event)) {
      End(done->status);
      return;
    }
    RenderEvent(*event);
    if (broken_) continue;  // Taken, so that the end is reached.
    writing_ = true;
    StartWrite(&message_);
    return;
  }
}

void GenerateStream::RenderStarted() {
  v1::GenerationStarted* started = message_.mutable_started();
  *started->mutable_info() = RenderInfo(*scope_.serving->catalog,
                                        call_.request_id(), parsed_.checkpoint);
  const std::vector<int32_t>& prompt = parsed_.spec.sequences[0].prompt;
  started->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  if (parsed_.checkpoint.has_value()) {
    *started->mutable_concepts() =
        RenderLabels(scope_.serving->catalog->checkpoints[*parsed_.checkpoint]);
  }
  started->set_seed(parsed_.seed);
}

void GenerateStream::RenderEvent(RequestEvent& event) {
  message_.Clear();
  if (const auto* token = std::get_if<TokenEvent>(&event)) {
    ArmText& arm = arms_[token->sequence];
    v1::TokenDelta* delta = message_.mutable_token();
    delta->set_arm(parsed_.arms[token->sequence]);
    *delta->mutable_token() = RenderToken(*token, *scope_.serving->tokenizer);
    delta->set_text(arm.utf8.Push(token->text));
    absl::StrAppend(&arm.text, delta->text());
  } else if (const auto* trace = std::get_if<TraceEvent>(&event)) {
    v1::TraceDelta* delta = message_.mutable_trace();
    delta->set_arm(parsed_.arms[trace->sequence]);
    *delta->mutable_reading() =
        RenderReading(trace->reading, *scope_.serving->catalog);
  } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
    ArmText& arm = arms_[finished->sequence];
    v1::ArmFinished* delta = message_.mutable_arm_finished();
    delta->set_arm(parsed_.arms[finished->sequence]);
    delta->set_text_tail(
        absl::StrCat(arm.utf8.Push(finished->text_tail), arm.utf8.Finish()));
    delta->set_finish_reason(RenderFinishReason(finished->reason));
    absl::StrAppend(&arm.text, delta->text_tail());
    call_.AddTokens(finished->prompt_tokens, finished->generated_tokens);
    arm.finished = std::move(*finished);
  }
}

void GenerateStream::RenderSummary() {
  message_.Clear();
  v1::GenerationSummary* summary = message_.mutable_summary();
  for (size_t i = 0; i < arms_.size(); ++i) {
    v1::ArmResult* arm = summary->add_arms();
    *arm = RenderArm(parsed_, static_cast<int>(i), arms_[i].finished,
                     *scope_.serving->catalog);
    arm->set_text(arms_[i].text);
  }
  summary->set_seed(parsed_.seed);
  summary->set_prompt_token_count(
      static_cast<int>(parsed_.spec.sequences[0].prompt.size()));
  *summary->mutable_info() = RenderInfo(*scope_.serving->catalog,
                                        call_.request_id(), parsed_.checkpoint);
}

void GenerateStream::End(const absl::Status& status) {
  finished_ = true;
  GuardUnread(call_.env().unread.max_age);
  // A client that went away while its request came to its end has no answer.
  const absl::Status told = status.ok() && broken_
                                ? absl::CancelledError("the client went away")
                                : status;
  if (!told.ok()) {
    Finish(call_.End(told));
    return;
  }
  RenderSummary();
  StartWriteAndFinish(&message_, grpc::WriteOptions(), call_.End(told));
}

void GenerateStream::GuardUnread(absl::Duration patience) {
  if (guarded_) return;
  guarded_ = true;
  unread_alarm_.Set(absl::ToChronoTime(absl::Now() + patience),
                    [weak = weak_from_this()](bool expired) {
                      const auto stream = weak.lock();
                      if (expired && stream) stream->GiveUp();
                    });
}

void GenerateStream::GiveUp() {
  MutexLock lock(&mutex_);
  if (!done_) call_.context()->TryCancel();
}

}  // namespace alignsae
