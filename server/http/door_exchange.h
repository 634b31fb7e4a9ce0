// DoorExchange: one request at the front door and its answer, between whoever
// answers it, on any thread, and the door's thread, which has the socket.
//
// An answer is whole (Answer), or a stream (Begin, Write, End). Nothing waits:
// what is written lies here until the peer takes it, and `written` tells when
// it has, so that a writer who waits for that keeps one message here at most.
// A peer that goes is told of by OnGone; the answer must be brought to its end
// all the same, and OnDone is called after that, the peer there or not.
//
// Threads: the callbacks run on the door's thread, without a lock held, and
// must not block; OnGone's on its caller's when the peer has gone before.
// Ownership: shared by the door and the one who answers. Callbacks are dropped
// once OnDone was called.
//
// Thread-safety: thread-safe. request() is read only, but for DropBody.

#ifndef ALIGNSAE_SERVER_HTTP_DOOR_EXCHANGE_H_
#define ALIGNSAE_SERVER_HTTP_DOOR_EXCHANGE_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/http/http_message.h"
#include "server/process/memory_budget.h"
#include "server/process/wake_up.h"

namespace alignsae {

class DoorExchange {
 public:
  using Decorate = std::function<void(const HttpRequest&, HttpReply*)>;

  // `body`: what the request's body holds of a budget. `decorate` is run on
  // each reply. `wake` is set when there is something for the door to do.
  DoorExchange(HttpRequest request, MemoryBudget::Share body, Decorate decorate,
               std::shared_ptr<WakeUp> wake)
      : request_(std::move(request)),
        body_(std::move(body)),
        decorate_(std::move(decorate)),
        wake_(std::move(wake)) {}

  const HttpRequest& request() const { return request_; }
  // The body is not needed any more; its memory goes back. By whoever reads
  // the request.
  void DropBody();

  // The answer. One of the two forms, each call once but for Write.
  void Answer(HttpReply reply) ABSL_LOCKS_EXCLUDED(mutex_);
  void Begin(HttpReply head) ABSL_LOCKS_EXCLUDED(mutex_);
  // `bytes`, not empty. `written`, which may be null: the peer has them (true),
  // or is gone.
  void Write(absl::string_view bytes, std::function<void(bool)> written)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  // A peer that has not taken everything by then is cut off. The last counts.
  void GiveUpAfter(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  // Before the answer has ended; the last counts.
  void OnGone(std::function<void()> gone) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone(std::function<void()> done) ABSL_LOCKS_EXCLUDED(mutex_);

  // For the door.
  // Sends what the socket takes. False: the peer is gone.
  bool SendTo(int fd) ABSL_LOCKS_EXCLUDED(mutex_);
  bool HasOutput() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time give_up() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The answer has ended, and is sent or will never be.
  bool IsOver() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing is sent any more.
  void PeerIsGone() ABSL_LOCKS_EXCLUDED(mutex_);
  // It is over: calls what OnDone gave.
  void Done() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Piece {
    std::string bytes;
    std::function<void(bool)> written;
  };

  // Takes the first piece if all of it is sent.
  std::function<void(bool)> Advance(size_t sent) ABSL_LOCKS_EXCLUDED(mutex_);

  HttpRequest request_;
  MemoryBudget::Share body_;
  const Decorate decorate_;
  const std::shared_ptr<WakeUp> wake_;

  mutable Mutex mutex_;
  std::deque<Piece> out_ ABSL_GUARDED_BY(mutex_);
  size_t sent_ ABSL_GUARDED_BY(mutex_) = 0;  // Of the first piece.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time give_up_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::function<void()> on_gone_ ABSL_GUARDED_BY(mutex_);
  std::function<void()> on_done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_DOOR_EXCHANGE_H_
