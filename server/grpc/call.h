// Call: the life of one RPC as operators see it: request id, deadline, metrics
// and one log line. Never with prompt text.
//
// Threads: made on a gRPC thread; End on any, WhyStop on any at any time. None
// of it blocks. The reactor of the RPC owns it, until gRPC is done with that.
//
// Thread-safety: thread-compatible; End() exactly once.

#ifndef ALIGNSAE_SERVER_GRPC_CALL_H_
#define ALIGNSAE_SERVER_GRPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/grpc/rpc_env.h"

namespace alignsae {

inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr char kClientIdKey[] = "x-client-id";

class Call {
 public:
  // Takes the request id from the metadata, or makes one, and sends it back as
  // initial metadata. `method` ("Service/Method") must outlive the call.
  Call(const RpcEnv* env, absl::string_view method,
       grpc::CallbackServerContext* context);
  ~Call() { --*env_->open_calls; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Not OK when the call's metadata break a rule.
  const absl::Status& status() const { return status_; }
  const std::string& request_id() const { return request_id_; }
  // Who calls, for taking turns: the `x-client-id` metadata, else the peer's
  // address without its port.
  const std::string& client() const { return client_; }
  // The client's deadline, at most max_deadline_seconds from the start.
  absl::Time deadline() const { return deadline_; }
  grpc::CallbackServerContext* context() const { return context_; }
  // OK while somebody waits for the answer: DEADLINE_EXCEEDED, CANCELLED. From
  // any thread.
  absl::Status WhyStop() const;
  const RpcEnv& env() const { return *env_; }

  // For the log line.
  void AddTokens(int prompt, int generated) {
    prompt_tokens_ += prompt;
    generated_tokens_ += generated;
  }

  // Counts the end, sets the trailers, hands the log line to the interactive
  // lane and gives what to Finish with. Does not block; under a lock too.
  grpc::Status End(const absl::Status& status);

 private:
  // The metadata value of `key`, checked: short and printable. Empty without
  // one, and with one that breaks the rule, which status_ then tells.
  std::string CheckedMetadata(const char* key);

  const RpcEnv* const env_;
  const absl::string_view method_;
  grpc::CallbackServerContext* const context_;
  const absl::Time start_;
  std::string request_id_;
  std::string client_;
  absl::Status status_;
  absl::Time deadline_;
  int prompt_tokens_ = 0;
  int generated_tokens_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_CALL_H_
