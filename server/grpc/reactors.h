// Reactors: how a gRPC call becomes a Call of server/api, and how its end, and
// its messages, go back. The only place that knows both.
//
// Threads: gRPC's callback threads, of which there are two on a small machine
// and which health checks share: nothing here blocks or computes.
// Ownership: a reactor owns itself from its start until OnDone, with the Call
// and the stream; gRPC owns context, request and response as long.
// Not for: what an RPC does (server/api).

#ifndef ALIGNSAE_SERVER_GRPC_REACTORS_H_
#define ALIGNSAE_SERVER_GRPC_REACTORS_H_

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/api/answer_stream.h"
#include "server/api/call.h"
#include "server/api/unary_call.h"

namespace alignsae {

inline constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";

// "ipv4:10.0.0.7:51234" -> "ipv4:10.0.0.7": the connections of one host count
// as one client.
std::string HostOf(const std::string& peer);

// The metadata, peer and deadline of a call.
Caller CallerOf(const grpc::CallbackServerContext& context);

// What to Finish with; sets the trailers.
grpc::Status ToGrpc(const WireStatus& wire,
                    grpc::CallbackServerContext* context);

// Whether the policy lets the caller use `rpc`, for what is no Call.
grpc::Status PermitRpc(const RpcEnv& env, absl::string_view rpc,
                       grpc::CallbackServerContext* context);

// A Call whose request id goes back with the initial metadata.
std::shared_ptr<Call> StartCall(const RpcEnv* env, absl::string_view method,
                                grpc::CallbackServerContext* context);

// Cancels a call that the peer leaves unread for too long. OnDone of its
// reactor must call Done, after which the context is not touched.
class UnreadGuard final : public std::enable_shared_from_this<UnreadGuard> {
 public:
  explicit UnreadGuard(grpc::CallbackServerContext* context)
      : context_(context) {}

  // Once.
  void GiveUpAfter(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_);
  void Done() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::CallbackServerContext* const context_;
  grpc::Alarm alarm_;
  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

// Runs a unary RPC: `start` is its function of server/api, with request and
// response bound.
using StartUnary = std::function<void(std::shared_ptr<Call>, Done)>;
grpc::ServerUnaryReactor* RunUnary(const RpcEnv* env, absl::string_view method,
                                   grpc::CallbackServerContext* context,
                                   const StartUnary& start);

template <typename Response>
class StreamReactor final
    : public grpc::ServerWriteReactor<Response>,
      public StreamSink<Response>,
      public std::enable_shared_from_this<StreamReactor<Response>> {
 public:
  using MakeStream = std::function<std::shared_ptr<AnswerStream>(
      std::shared_ptr<Call>, std::shared_ptr<StreamSink<Response>>)>;

  StreamReactor(const RpcEnv* env, absl::string_view method,
                grpc::CallbackServerContext* context)
      : context_(context),
        guard_(std::make_shared<UnreadGuard>(context)),
        call_(StartCall(env, method, context)) {}

  void Start(const MakeStream& make) {
    self_ = this->shared_from_this();
    stream_ = make(call_, self_);
    stream_->Begin();
  }

  void OnWriteDone(bool ok) override { stream_->OnWritten(ok); }
  void OnCancel() override { call_->Cancel(); }
  void OnDone() override {
    guard_->Done();
    // The stream has this reactor as its sink: the last of them ends both.
    const std::shared_ptr<AnswerStream> stream = std::move(stream_);
    const std::shared_ptr<StreamReactor> self = std::move(self_);
  }

  void Write(const Response& message) override { this->StartWrite(&message); }
  void Finish(const Response* summary, const WireStatus& wire) override {
    const grpc::Status status = ToGrpc(wire, context_);
    if (summary == nullptr) {
      grpc::ServerWriteReactor<Response>::Finish(status);
    } else {
      this->StartWriteAndFinish(summary, grpc::WriteOptions(), status);
    }
  }
  void GiveUpAfter(absl::Duration patience) override {
    guard_->GiveUpAfter(patience);
  }

 private:
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<UnreadGuard> guard_;
  const std::shared_ptr<Call> call_;
  std::shared_ptr<AnswerStream> stream_;  // Until OnDone.
  std::shared_ptr<StreamReactor> self_;   // Until OnDone.
};

// Runs an RPC that answers with a stream: `make` is its function of server/api,
// with the request bound.
template <typename Response>
grpc::ServerWriteReactor<Response>* RunStream(
    const RpcEnv* env, absl::string_view method,
    grpc::CallbackServerContext* context,
    const typename StreamReactor<Response>::MakeStream& make) {
  const auto reactor =
      std::make_shared<StreamReactor<Response>>(env, method, context);
  reactor->Start(make);
  return reactor.get();
}

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_REACTORS_H_
