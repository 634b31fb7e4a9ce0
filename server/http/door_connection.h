// DoorConnection: one connection of the front door: requests one after another,
// each read whole, handed on, and answered before the next is looked at.
//
// While a request is answered the socket is watched: a peer that closes it, or
// its half of it, has gone. What a peer sends ahead meanwhile is kept up to the
// size of a head. After an answer that ends the connection what still comes is
// read and thrown away for a moment, so that the peer gets its answer and no
// reset.
//
// Threads: the door's alone.
// Ownership: the connection owns its socket; an exchange that is not over when
// the connection goes is the door's (TakeExchange).
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_DOOR_CONNECTION_H_
#define ALIGNSAE_SERVER_HTTP_DOOR_CONNECTION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "model/base/posix_file.h"
#include "server/http/door_exchange.h"
#include "server/http/http_message.h"
#include "server/process/memory_budget.h"
#include "server/process/wake_up.h"

namespace alignsae {

// What a front door does, and within which limits.
struct DoorOptions {
  int max_connections = 256;
  size_t max_head_bytes = 16 << 10;
  size_t max_body_bytes = 1 << 20;
  // A request must be whole so long after its first byte.
  absl::Duration max_request_time = absl::Seconds(10);
  // A connection without a request is closed after this.
  absl::Duration max_idle_time = absl::Seconds(300);
  // An answer that is made must be taken in this time, unless the exchange was
  // told another.
  absl::Duration max_unread_time = absl::Seconds(10);
  // Where bodies are held until they are read; must outlive the door.
  MemoryBudget* memory = nullptr;

  // All on the door's thread; they must not block.
  // A request's head, before its body is taken: an answer that needs none, or
  // why it is refused.
  std::function<std::optional<HttpReply>(const HttpRequest&)> greet;
  std::function<std::optional<HttpFailure>(const HttpRequest&)> check;
  // A whole request.
  std::function<void(std::shared_ptr<DoorExchange>)> handle;
  // How a refusal is told; of the request what is known.
  std::function<HttpReply(const HttpRequest&, const HttpFailure&)> refuse;
  // Run on each reply.
  DoorExchange::Decorate decorate;
  std::function<void(HttpRefusal)> count_refusal;
};

class DoorConnection {
 public:
  // `surplus`: there are too many connections; its request is refused.
  DoorConnection(int fd, std::string host, bool surplus,
                 const DoorOptions* options, std::shared_ptr<WakeUp> wake,
                 absl::Time now);

  int fd() const { return fd_.get(); }
  bool surplus() const { return surplus_; }
  // It waits for a request, of which nothing has come.
  bool idle() const { return state_ == State::kHead && in_.empty(); }

  // What to poll for, and when to serve it without an event.
  short wants() const;
  absl::Time next() const;
  // Does what can be done. False: it has ended.
  bool Serve(short events, absl::Time now);
  // The exchange that is not over, if there is one; told that the peer is gone.
  std::shared_ptr<DoorExchange> TakeExchange();

 private:
  enum class State { kHead, kBody, kAnswer, kEnd };

  // False: the peer has gone.
  bool Receive();
  // Goes on with what has come. True: something changed, look again.
  bool Step();
  bool TakeHead();
  bool TakeBody();
  bool FinishAnswer(absl::Time now);
  // The body's place in memory; false: refused.
  bool ReserveBody();
  void StartExchange(bool handle);
  void Reply(HttpReply reply);
  void Refuse(const HttpFailure& failure);

  const FileDescriptor fd_;
  const std::string host_;
  const bool surplus_;
  const DoorOptions* const options_;
  const std::shared_ptr<WakeUp> wake_;

  State state_ = State::kHead;
  std::string in_;  // Bytes that are not taken yet.
  absl::Time deadline_;
  bool request_begun_ = false;
  HttpRequest request_;
  std::optional<HttpBody> body_;
  MemoryBudget::Share share_;
  uint64_t inflated_ = 0;  // Bytes of the share for the inflated body.
  std::string interim_;    // "100 Continue", not sent yet.
  std::shared_ptr<DoorExchange> exchange_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_DOOR_CONNECTION_H_
