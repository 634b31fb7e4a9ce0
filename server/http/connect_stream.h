// ConnectStream: a ModelStream's sink that writes Connect's envelopes to an
// exchange of the front door. One message lies there at most; its writing is
// told in the interactive lane, as everything that renders is done there.
//
// Ownership: alive, with its stream, until the exchange's OnDone.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_CONNECT_STREAM_H_
#define ALIGNSAE_SERVER_HTTP_CONNECT_STREAM_H_

#include <functional>
#include <memory>
#include <utility>

#include "server/api/answer_stream.h"
#include "server/http/connect_rpcs.h"

namespace alignsae {

// What streams have in common: the exchange's side.
class ConnectFrames {
 public:
  explicit ConnectFrames(std::shared_ptr<ConnectCall> call)
      : call_(std::move(call)) {}

  ConnectCall& call() { return *call_; }
  // `written`, which may be null, is run in the interactive lane.
  void Write(const google::protobuf::Message& message,
             std::function<void(bool)> written);
  void End(const WireStatus& status);

 private:
  // The head goes with the first frame.
  void BeginOnce();

  const std::shared_ptr<ConnectCall> call_;
  bool begun_ = false;
};

template <typename Response>
class ConnectStream final
    : public StreamSink<Response>,
      public std::enable_shared_from_this<ConnectStream<Response>> {
 public:
  explicit ConnectStream(std::shared_ptr<ConnectCall> call)
      : frames_(std::move(call)) {}

  void Start(const std::shared_ptr<AnswerStream>& stream) {
    stream_ = stream;
    // The stream has this sink: both end with the exchange.
    frames_.call().exchange->OnDone(
        [self = this->shared_from_this(), stream] {});
    stream->Begin();
  }

  void Write(const Response& message) override {
    frames_.Write(message, [stream = stream_](bool ok) {
      if (const auto alive = stream.lock()) alive->OnWritten(ok);
    });
  }
  void Finish(const Response* summary, const WireStatus& status) override {
    if (summary != nullptr) frames_.Write(*summary, nullptr);
    frames_.End(status);
  }
  void GiveUpAfter(absl::Duration patience) override {
    frames_.call().exchange->GiveUpAfter(patience);
  }

 private:
  ConnectFrames frames_;
  std::weak_ptr<AnswerStream> stream_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_CONNECT_STREAM_H_
