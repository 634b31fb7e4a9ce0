// ReadStream: the life of a ReadConceptsStream, whatever the transport.
//
// Each request that it reads is a ReadConcepts of its own, with a call of its
// own: lanes, budgets, turns, deadline and metrics are those of the unary RPC.
// What is new here is how many there are at once: the next request is read only
// while few are unanswered, so that a stream holds little, whatever its client
// writes. Answers are written as they come.
//
// The stream's own call tells of its beginning and its end only.
//
// A transport derives from ReadStreamSink and says how to read and write.
//
// Threads: all methods from the transport's; they do not block. Answers come
// from the lanes.
// Ownership: the transport has the stream until the call is out of its hands;
// the stream has the sink, so the transport drops the stream to end both.
// Errors: of a request: its answer. Of the stream: UNAVAILABLE while starting
// and draining; DEADLINE_EXCEEDED for one that sends nothing for long.

#ifndef ALIGNSAE_SERVER_API_READ_STREAM_H_
#define ALIGNSAE_SERVER_API_READ_STREAM_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "alignsae/v1/concept_service.pb.h"
#include "model/base/mutex.h"
#include "server/api/call.h"

namespace alignsae {

// Called with the stream's lock held: must not block, and not call the stream.
class ReadStreamSink {
 public:
  virtual ~ReadStreamSink() = default;
  // The next request goes `into`, which is the transport's until OnRead.
  virtual void Read(v1::ReadConceptsStreamRequest* into) = 0;
  // `message` stays as it is until OnWritten, which allows the next Write.
  virtual void Write(const v1::ReadConceptsStreamResponse& message) = 0;
  // The last call. A read may be under way, no write is.
  virtual void Finish(const WireStatus& status) = 0;
  // The peer does not read: it shall be cancelled.
  virtual void GiveUp() = 0;
};

class ReadStream final : public std::enable_shared_from_this<ReadStream> {
 public:
  // Requests that may be unanswered at once; of prompts a batch's worth.
  static constexpr size_t kMaxRequests = 16;
  // How often OnTick must come.
  static constexpr absl::Duration kTick = absl::Milliseconds(250);

  // `call` was made of `caller`, who is also whom each request is from.
  ReadStream(std::shared_ptr<Call> call, const Caller& caller,
             std::shared_ptr<ReadStreamSink> sink);

  // Once, first.
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  // A request was read. False: the client sends no more.
  void OnRead(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  // The answer is written. False: the client is gone.
  void OnWritten(bool ok) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() ABSL_LOCKS_EXCLUDED(mutex_);
  // Looks at the clock and at the server. False: no more are needed.
  bool OnTick() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // A request on its way. Its call holds the answer's memory until it is
  // written.
  struct Request {
    std::shared_ptr<Call> call;
    v1::ReadConceptsStreamRequest request;
    v1::ReadConceptsStreamResponse response;
    int prompts = 0;
  };
  using RequestPtr = std::shared_ptr<Request>;

  RequestPtr TakeIn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(const RequestPtr& request, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes, reads or ends: whatever comes next.
  void Go() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(const RequestPtr& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Why the stream ends once nothing of it runs; nullopt: it does not.
  std::optional<absl::Status> WhyEnd() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time Now() const { return call_->env().clock->Now(); }

  const std::shared_ptr<Call> call_;
  const Caller caller_;  // Of each request.
  const std::shared_ptr<ReadStreamSink> sink_;

  Mutex mutex_;
  v1::ReadConceptsStreamRequest incoming_;  // The transport's while reading_.
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mutex_) = false;  // No more requests come.
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;       // The client is gone.
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status stop_ ABSL_GUARDED_BY(mutex_);  // Why no more are read.
  int64_t next_index_ ABSL_GUARDED_BY(mutex_) = 0;
  // Read and not yet written.
  std::set<RequestPtr> open_ ABSL_GUARDED_BY(mutex_);
  int open_prompts_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<RequestPtr> answered_ ABSL_GUARDED_BY(mutex_);  // To be written.
  RequestPtr writing_ ABSL_GUARDED_BY(mutex_);
  absl::Time writing_since_ ABSL_GUARDED_BY(mutex_);
  absl::Time heard_ ABSL_GUARDED_BY(mutex_);  // From the client, last.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_READ_STREAM_H_
