// ModelStream: the life of a call that answers with a stream while the model
// runs. Parsed in the interactive lane, run by the scheduler, rendered one
// message at a time as the transport takes them: `started`, what the request's
// events give, and a `summary`, which only an OK status follows.
//
// A client that does not read is ended: by the scheduler while its request runs
// (EventQueue), and here once the request has ended with messages unread.
//
// A stream derives from it and says how to parse and render; a transport
// derives from StreamSink and says how to write.
//
// Threads: Begin and OnWritten from the transport's; they do not block, but
// for the lock, which is held while one message is rendered (well below a
// millisecond). Parse is called first, alone, in the interactive lane; the
// render functions there or on the transport's thread, with the lock held.
// Ownership: the transport has the stream until the call is out of its hands;
// the stream has the sink, so the transport drops the stream to end both.

#ifndef ALIGNSAE_SERVER_API_MODEL_STREAM_H_
#define ALIGNSAE_SERVER_API_MODEL_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/event_queue.h"
#include "server/api/answer_stream.h"
#include "server/api/call.h"
#include "server/api/enter_lane.h"
#include "server/api/held_bytes.h"
#include "server/api/paced_refusal.h"
#include "server/api/unary_call.h"

namespace alignsae {

template <typename Response>
class ModelStream : public AnswerStream,
                    public std::enable_shared_from_this<ModelStream<Response>> {
 public:
  // `request_bytes`: of the request, while it waits for a lane.
  ModelStream(std::shared_ptr<Call> call,
              std::shared_ptr<StreamSink<Response>> sink, int64_t request_bytes)
      : call_(std::move(call)),
        sink_(std::move(sink)),
        request_bytes_(request_bytes) {}

  void Begin() override ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Status taken =
        EnterLane(*call_, Lane::kInteractive, request_bytes_,
                  [stream = this->shared_from_this()] { stream->Run(); });
    if (!taken.ok()) EndBeforeStart(taken);
  }

  void OnWritten(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    writing_ = false;
    events_->EndWrite();
    if (!ok) {
      broken_ = true;
      if (handle_.has_value()) handle_->Cancel();
    }
    PumpLocked();
  }

 protected:
  // Also fills `started`, the stream's first message.
  virtual absl::StatusOr<RequestSpec> Parse(const CallScope& scope,
                                            Response* started) = 0;
  // What the scheduler tells; by default `events` itself.
  virtual std::shared_ptr<RequestSink> SinkBefore(
      std::shared_ptr<EventQueue> events) {
    return events;
  }
  // False: the event gives no message. Never called for RequestDone.
  virtual bool RenderEvent(RequestEvent& event, Response* message) = 0;
  virtual void RenderSummary(Response* message) = 0;

  Call& call() { return *call_; }
  const ServedModel& model() const { return *scope_.model; }

 private:
  // What a slow reader gets to take the message that is under way, so that it
  // learns why its call ends.
  static constexpr absl::Duration kLastChance = absl::Seconds(1);

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Status status =
        WithoutMemoryFailure([this] { return Submit(); });
    if (!status.ok()) EndBeforeStart(status);
  }

  void EndBeforeStart(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    TellPaced(call_, status, request_bytes_,
              [stream = this->shared_from_this(), status] {
                MutexLock lock(&stream->mutex_);
                stream->End(status);
              });
  }

  absl::Status Submit() ABSL_LOCKS_EXCLUDED(mutex_) {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(call_));
    Response started;
    ALIGNSAE_ASSIGN_OR_RETURN(RequestSpec spec, Parse(scope_, &started));
    ALIGNSAE_RETURN_IF_ERROR(
        call_->Hold(HeldBytes(spec, scope_.model->catalog())));
    auto events = std::make_shared<EventQueue>(
        call_->env().unread, call_->env().clock,
        [weak = this->weak_from_this(), lanes = call_->env().lanes] {
          lanes->interactive.Schedule([weak] {
            if (const auto stream = weak.lock()) stream->Pump();
          });
        });
    // Held over Submit, so that `started` goes out before the first event.
    MutexLock lock(&mutex_);
    ALIGNSAE_ASSIGN_OR_RETURN(
        handle_, scope_.Submit(std::move(spec), SinkBefore(events)));
    events_ = std::move(events);
    message_ = std::move(started);
    Write();
    return absl::OkStatus();
  }

  void Pump() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    PumpLocked();
  }

  // Writes the next message, if there is one and no write is under way.
  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    const std::optional<absl::Status> end = events_->end();
    const bool slow = end.has_value() && ReasonOf(*end) == kReasonSlowReader;
    if (writing_) {
      if (end.has_value()) {
        GuardUnread(slow ? kLastChance : call_->env().unread.max_age);
      }
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
      Response& message = message_;
      message.Clear();
      bool rendered = false;
      const absl::Status status = WithoutMemoryFailure([&] {
        rendered = RenderEvent(*event, &message);
        return absl::OkStatus();
      });
      if (!status.ok()) {
        if (handle_.has_value()) handle_->Cancel();
        End(status);
        return;
      }
      // Taken also when the client is gone, so that the end is reached.
      if (!rendered || broken_) continue;
      Write();
      return;
    }
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    events_->BeginWrite();
    sink_->Write(message_);
  }

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    finished_ = true;
    GuardUnread(call_->env().unread.max_age);
    // A client that went away while its request came to its end has no answer.
    const absl::Status told = status.ok() && broken_
                                  ? absl::CancelledError("the client went away")
                                  : status;
    const bool whole = told.ok();
    if (whole) {
      message_.Clear();
      RenderSummary(&message_);
    }
    sink_->Finish(whole ? &message_ : nullptr, call_->End(told));
  }

  // The request has ended: what is unread by `patience` from now is given up.
  void GuardUnread(absl::Duration patience)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (guarded_) return;
    guarded_ = true;
    sink_->GiveUpAfter(patience);
  }

  const std::shared_ptr<Call> call_;
  const std::shared_ptr<StreamSink<Response>> sink_;
  const int64_t request_bytes_;
  CallScope scope_;

  Mutex mutex_;
  std::shared_ptr<EventQueue> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<RequestHandle> handle_ ABSL_GUARDED_BY(mutex_);
  Response message_ ABSL_GUARDED_BY(mutex_);  // Being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // The client is gone.
  bool guarded_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_MODEL_STREAM_H_
