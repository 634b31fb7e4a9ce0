// EventQueue: hands the events of one streaming request from the step thread to
// its reader, without either waiting for the other.
//
// The reader's side renders an event into a message and hands it to the
// transport, one at a time. It says so with BeginWrite, and with EndWrite that
// the transport has taken the message. Only while a message lies there is the
// peer the one that everybody waits for. So
//
//   the age of what is unread  counts from the event's arrival or the last
//                              BeginWrite, whichever is later, and only while a
//                              message is under way;
//   its number                 counts the events that arrived while a message
//                              was under way.
//
// A peer that leaves too many unread, or any of them for too long, is told of
// to the scheduler, which ends the request. A server that is late (no thread
// has rendered yet) blames nobody: the queue then grows, by what the request
// may still generate.
//
// Blocks: nothing, beyond a mutex that is held for a few moves.
//
// Not for several readers, and not for a reader that never says BeginWrite: it
// would never be found slow.
//
// Thread-safety: thread-safe; one writer (the scheduler's step thread), one
// reader at a time, of any thread.

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
    size_t max_unread = 256;  // Events that came while the peer had its turn.
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

  // A message was handed to the transport; the transport has taken it.
  void BeginWrite() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWrite() ABSL_LOCKS_EXCLUDED(mutex_);

  // How the request ended, also while that is still unread.
  std::optional<absl::Status> end() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Unread {
    RequestEvent event;
    absl::Time since;
    bool counts;  // Came while a message was under way.
  };

  const Options options_;
  const Clock* const clock_;
  const std::function<void()> on_ready_;
  mutable Mutex mutex_;
  std::deque<Unread> unread_ ABSL_GUARDED_BY(mutex_);
  size_t counted_ ABSL_GUARDED_BY(mutex_) = 0;  // Of unread_.
  // When the message that is under way was handed on.
  std::optional<absl::Time> writing_since_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_EVENT_QUEUE_H_
