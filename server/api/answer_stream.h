// AnswerStream and StreamSink: the two sides of a call that answers with a
// stream. The stream says what is sent, a transport's sink sends it, one
// message at a time.
//
// Threads: a stream's functions are called from the transport's threads and do
// not block.
// Ownership: the transport has the stream until the call is out of its hands;
// the stream has the sink, so the transport drops the stream to end both.

#ifndef ALIGNSAE_SERVER_API_ANSWER_STREAM_H_
#define ALIGNSAE_SERVER_API_ANSWER_STREAM_H_

#include "absl/time/time.h"
#include "server/api/status.h"

namespace alignsae {

class AnswerStream {
 public:
  virtual ~AnswerStream() = default;
  // Once, by the transport.
  virtual void Begin() = 0;
  // The message is written. False: the client is gone.
  virtual void OnWritten(bool ok) = 0;
};

// Where a stream's messages go. Called with the stream's lock held: must not
// block, and not call the stream.
template <typename Response>
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  // `message` stays as it is until OnWritten, which allows the next Write.
  virtual void Write(const Response& message) = 0;
  // The last call: `summary` (nullptr: none) and the end. No write is under
  // way, or it is followed. `summary` lives as long as the stream.
  virtual void Finish(const Response* summary, const WireStatus& status) = 0;
  // A client that has not taken everything by then is given up. Once.
  virtual void GiveUpAfter(absl::Duration patience) = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ANSWER_STREAM_H_
