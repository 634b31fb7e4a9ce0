// GenerateStream: the life of one Generate call. Parsed on a worker, run by the
// scheduler, rendered one message at a time as the client takes them.
//
// A client that does not read is cancelled: by the scheduler while its request
// runs (EventQueue), and here once the request has ended with messages unread.
//
// Thread-safety: made and called by gRPC and the workers; lives until gRPC is
// done with it.

#ifndef ALIGNSAE_SERVER_RPC_GENERATE_STREAM_H_
#define ALIGNSAE_SERVER_RPC_GENERATE_STREAM_H_

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/base/mutex.h"
#include "server/rpc/unary_call.h"
#include "server/rpc/utf8_stream.h"
#include "server/scheduler/event_queue.h"

namespace alignsae {

class GenerateStream final
    : public grpc::ServerWriteReactor<v1::GenerateResponse>,
      public std::enable_shared_from_this<GenerateStream> {
 public:
  // Starts the call. `request` lives until it is finished.
  static GenerateStream* Start(const RpcEnv* env,
                               grpc::CallbackServerContext* context,
                               const v1::GenerateRequest* request);

  GenerateStream(const RpcEnv* env, grpc::CallbackServerContext* context,
                 const v1::GenerateRequest* request);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

 private:
  // What an arm has said so far.
  struct ArmText {
    Utf8Stream utf8;
    std::string text;
    SequenceFinished finished;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Submit() ABSL_LOCKS_EXCLUDED(mutex_);
  // Writes the next message, if there is one and no write is under way.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RenderStarted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RenderEvent(RequestEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RenderSummary() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The request has ended: what is unread by `patience` from now is given up.
  void GuardUnread(absl::Duration patience)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);

  Call call_;
  const v1::GenerateRequest* const request_;
  CallScope scope_;
  std::shared_ptr<GenerateStream> self_;  // Until gRPC is done with it.
  grpc::Alarm unread_alarm_;

  Mutex mutex_;
  ParsedGeneration parsed_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<EventQueue> events_ ABSL_GUARDED_BY(mutex_);
  std::optional<RequestHandle> handle_ ABSL_GUARDED_BY(mutex_);
  std::vector<ArmText> arms_ ABSL_GUARDED_BY(mutex_);
  v1::GenerateResponse message_ ABSL_GUARDED_BY(mutex_);  // Being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // The client is gone.
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool guarded_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;  // The context is gone.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_RPC_GENERATE_STREAM_H_
