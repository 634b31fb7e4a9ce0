// ModelStream: the life of a call that answers with a stream while the model
// runs. Parsed in the interactive lane, run by the scheduler, rendered one
// message at a time as the client takes them: `started`, what the request's
// events give, and a `summary`, which only an OK status follows.
//
// A client that does not read is cancelled: by the scheduler while its request
// runs (EventQueue), and here once the request has ended with messages unread.
//
// A stream derives from it, says how to parse and render, and is started with
// Begin().
//
// Threads: gRPC's threads call the On... methods; the interactive lane parses,
// submits and renders, one message a task; the step thread only puts events
// into the queue and wakes the lane. Everything takes the stream's lock, for as
// long as one message takes to render at most; nothing waits while it is held.
// Ownership: the stream owns itself until gRPC is done with it, and holds its
// model's lease as long.
// Not for: calls with one answer (unary_call.h).
//
// Thread-safety: as above. Parse is called first, alone; the render functions
// with the lock held.

#ifndef ALIGNSAE_SERVER_GRPC_MODEL_STREAM_H_
#define ALIGNSAE_SERVER_GRPC_MODEL_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/event_queue.h"
#include "server/grpc/unary_call.h"

namespace alignsae {

template <typename Response>
class ModelStream : public grpc::ServerWriteReactor<Response>,
                    public std::enable_shared_from_this<ModelStream<Response>> {
 public:
  // `method` must outlive the stream.
  ModelStream(const RpcEnv* env, absl::string_view method,
              grpc::CallbackServerContext* context)
      : call_(env, method, context) {}

  void Begin() {
    self_ = this->shared_from_this();
    if (!call_.env().lanes->interactive.TrySchedule(
            [stream = self_] { stream->Run(); })) {
      MutexLock lock(&mutex_);
      End(InteractiveBusy(call_));
    }
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (events_ != nullptr) events_->EndWrite();
    if (!ok) {
      broken_ = true;
      if (handle_.has_value()) handle_->Cancel();
    }
    PumpLocked();
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    if (handle_.has_value()) handle_->Cancel();
  }

  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_) {
    unread_alarm_.Cancel();
    {
      MutexLock lock(&mutex_);
      done_ = true;
    }
    self_.reset();
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

  Call& call() { return call_; }
  const ServedModel& model() const { return *scope_.model; }

 private:
  // What a slow reader gets to take the message that is under way, so that it
  // learns why its call ends.
  static constexpr absl::Duration kLastChance = absl::Seconds(1);

  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::Status status = Submit();
    if (status.ok()) return;
    MutexLock lock(&mutex_);
    End(status);
  }

  absl::Status Submit() ABSL_LOCKS_EXCLUDED(mutex_) {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(&call_));
    Response started;
    ALIGNSAE_ASSIGN_OR_RETURN(RequestSpec spec, Parse(scope_, &started));
    spec.deadline = call_.deadline();
    spec.client = call_.client();
    auto events = std::make_shared<EventQueue>(
        call_.env().unread, call_.env().clock,
        [weak = this->weak_from_this(), lanes = call_.env().lanes] {
          lanes->interactive.Schedule([weak] {
            if (const auto stream = weak.lock()) stream->Pump();
          });
        });
    // Held over Submit, so that `started` goes out before the first event.
    MutexLock lock(&mutex_);
    ALIGNSAE_ASSIGN_OR_RETURN(
        RequestHandle handle,
        scope_.model->scheduler().Submit(std::move(spec), SinkBefore(events)));
    if (cancelled_) handle.Cancel();
    handle_ = std::move(handle);
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
        GuardUnread(slow ? kLastChance : call_.env().unread.max_age);
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
      message_.Clear();
      // Taken also when the client is gone, so that the end is reached.
      if (!RenderEvent(*event, &message_) || broken_) continue;
      Write();
      return;
    }
  }

  void Write() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    events_->BeginWrite();
    this->StartWrite(&message_);
  }

  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    finished_ = true;
    GuardUnread(call_.env().unread.max_age);
    // A client that went away while its request came to its end has no answer.
    const absl::Status told = status.ok() && broken_
                                  ? absl::CancelledError("the client went away")
                                  : status;
    if (!told.ok()) {
      this->Finish(call_.End(told));
      return;
    }
    message_.Clear();
    RenderSummary(&message_);
    this->StartWriteAndFinish(&message_, grpc::WriteOptions(), call_.End(told));
  }

  // The request has ended: what is unread by `patience` from now is given up.
  void GuardUnread(absl::Duration patience)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (guarded_) return;
    guarded_ = true;
    unread_alarm_.Set(absl::ToChronoTime(absl::Now() + patience),
                      [weak = this->weak_from_this()](bool expired) {
                        const auto stream = weak.lock();
                        if (expired && stream) stream->GiveUp();
                      });
  }

  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (!done_) call_.context()->TryCancel();
  }

  Call call_;
  CallScope scope_;
  std::shared_ptr<ModelStream> self_;  // Until gRPC is done with it.
  grpc::Alarm unread_alarm_;

  Mutex mutex_;
  std::shared_ptr<EventQueue> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<RequestHandle> handle_ ABSL_GUARDED_BY(mutex_);
  Response message_ ABSL_GUARDED_BY(mutex_);  // Being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // The client is gone.
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool guarded_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // The context is gone.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_MODEL_STREAM_H_
