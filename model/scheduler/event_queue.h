// EventQueue: hands the events of one streaming request from the step thread to
// its reader, without either waiting for the other.
//
// Bounded: a reader that leaves too many events unread, or any of them for too
// long, is told of to the scheduler, which ends the request.
//
// Thread-safety: thread-safe; one writer (the scheduler), one reader at a time.

#ifndef ALIGNSAE_MODEL_SCHEDULER_EVENT_QUEUE_H_
#define ALIGNSAE_MODEL_SCHEDULER_EVENT_QUEUE_H_

#include <deque>
#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"
#include "model/scheduler/request.h"

namespace alignsae {

class EventQueue : public RequestSink {
 public:
  struct Options {
    size_t max_unread = 256;                     // Events.
    absl::Duration max_age = absl::Seconds(10);  // Of the oldest unread.
  };

  // `on_ready` is called, without a lock held, whenever an event is put into an
  // empty queue, and for RequestDone; it must not block. `clock` must outlive
  // the queue.
  EventQueue(const Options& options, const Clock* clock,
             std::function<void()> on_ready);

  // SequenceFinished and RequestDone are taken however full the queue is: there
  // are few of them, and the reader must learn of the end.
  bool Deliver(RequestEvent event) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsStalled(absl::Time now) const override ABSL_LOCKS_EXCLUDED(mutex_);

  // The oldest event; nullopt when there is none.
  std::optional<RequestEvent> Pop() ABSL_LOCKS_EXCLUDED(mutex_);

  // How the request ended, also while that is still unread.
  std::optional<absl::Status> end() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Unread {
    RequestEvent event;
    absl::Time since;
  };

  const Options options_;
  const Clock* const clock_;
  const std::function<void()> on_ready_;
  mutable Mutex mutex_;
  std::deque<Unread> unread_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_EVENT_QUEUE_H_
