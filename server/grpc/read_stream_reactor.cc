#include "server/grpc/read_stream_reactor.h"

#include <grpcpp/alarm.h>

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/clock.h"
#include "model/base/mutex.h"
#include "server/api/methods.h"
#include "server/api/read_stream.h"
#include "server/grpc/reactors.h"

namespace alignsae {
namespace {

using Base = grpc::ServerBidiReactor<v1::ReadConceptsStreamRequest,
                                     v1::ReadConceptsStreamResponse>;

class ReadStreamReactor final
    : public Base,
      public ReadStreamSink,
      public std::enable_shared_from_this<ReadStreamReactor> {
 public:
  explicit ReadStreamReactor(grpc::CallbackServerContext* context)
      : context_(context) {}

  void Start(const RpcEnv* env) {
    self_ = shared_from_this();
    Caller caller = CallerOf(*context_);
    caller.capped = false;
    auto call = std::make_shared<Call>(env, kRpcReadConceptsStream, caller);
    context_->AddInitialMetadata(kRequestIdKey, call->request_id());
    stream_ = std::make_shared<ReadStream>(std::move(call), caller, self_);
    stream_->Begin();
    TickLater(stream_);
  }

  void OnReadDone(bool ok) override { stream_->OnRead(ok); }
  void OnWriteDone(bool ok) override { stream_->OnWritten(ok); }
  void OnCancel() override { stream_->OnCancel(); }
  void OnDone() override {
    {
      MutexLock lock(&mutex_);
      done_ = true;
    }
    // The stream has this reactor as its sink: the last of them ends both.
    const std::shared_ptr<ReadStream> stream = std::move(stream_);
    const std::shared_ptr<ReadStreamReactor> self = std::move(self_);
  }

  void Read(v1::ReadConceptsStreamRequest* into) override { StartRead(into); }
  void Write(const v1::ReadConceptsStreamResponse& message) override {
    StartWrite(&message);
  }
  void Finish(const WireStatus& wire) override {
    Base::Finish(ToGrpc(wire, context_));
  }
  void GiveUp() override {
    MutexLock lock(&mutex_);
    if (!done_) context_->TryCancel();
  }

 private:
  // A new alarm each time: one cannot be set again from what it calls.
  void TickLater(std::weak_ptr<ReadStream> next) {
    MutexLock lock(&mutex_);
    if (done_) return;
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(
        absl::ToChronoTime(absl::Now() + ReadStream::kTick),
        [reactor = weak_from_this(), weak = std::move(next)](bool) {
          const auto self = reactor.lock();
          const auto stream = weak.lock();
          if (self != nullptr && stream != nullptr && stream->OnTick()) {
            self->TickLater(stream);
          }
        });
  }

  grpc::CallbackServerContext* const context_;
  std::shared_ptr<ReadStream> stream_;       // Until OnDone.
  std::shared_ptr<ReadStreamReactor> self_;  // Until OnDone.
  Mutex mutex_;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Base* RunReadStream(const RpcEnv* env, grpc::CallbackServerContext* context) {
  const auto reactor = std::make_shared<ReadStreamReactor>(context);
  reactor->Start(env);
  return reactor.get();
}

}  // namespace alignsae
