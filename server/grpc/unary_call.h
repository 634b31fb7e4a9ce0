// The way of a unary RPC: off gRPC's thread, and back with one Finish.
//
//   gRPC thread        the handler makes the call and returns
//   interactive lane   parses; a request for the model goes to the scheduler
//   step thread        runs it
//   background lane    what takes seconds, if the RPC has such work
//   interactive lane   renders the answer and finishes the call
//
// A call waits in the lanes' and the scheduler's queues only, on no thread.
// `request` and `response` of a handler live until its call is finished, so the
// functions given here may use them. The call owns itself until gRPC is done
// with it, and holds its model's lease as long.
//
// Thread-safety: free functions, called from gRPC's threads; they do not block.

#ifndef ALIGNSAE_SERVER_GRPC_UNARY_CALL_H_
#define ALIGNSAE_SERVER_GRPC_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/api/answer_collector.h"
#include "server/api/parse_env.h"
#include "server/grpc/call.h"
#include "server/grpc/rpc_env.h"

namespace alignsae {

// What a call works with while it runs.
struct CallScope {
  Call* call = nullptr;
  ModelLease model;

  ParseEnv parse_env() const;
};

// What every call must pass before it is parsed: its metadata keep the rules,
// somebody still waits for it, and a model is loaded. UNAVAILABLE while
// starting and draining.
absl::StatusOr<CallScope> EnterCall(Call* call);

// Why a call that finds the interactive or the background lane full is refused.
absl::Status InteractiveBusy(Call& call);
absl::Status BackgroundBusy(Call& call);

// An RPC that needs no step: `work` fills the response, in a few milliseconds.
using Work = std::function<absl::Status(const CallScope&)>;
grpc::ServerUnaryReactor* RunInteractive(const RpcEnv* env,
                                         absl::string_view method,
                                         grpc::CallbackServerContext* context,
                                         Work work);

// An RPC that runs the model.
using AnswerWork =
    std::function<absl::Status(const CallScope&, std::vector<SequenceAnswer>&)>;
struct ModelWork {
  // Makes the scheduler's request.
  std::function<absl::StatusOr<RequestSpec>(const CallScope&)> parse;
  // Fills the response.
  AnswerWork render;
  // Before `render`, in the background lane; may be null. Looks at
  // Call::WhyStop several times a second and ends with what that says.
  AnswerWork background = nullptr;
  // Asked once the request is parsed: whether there is such work to do.
  std::function<bool()> has_background = nullptr;
};
grpc::ServerUnaryReactor* RunOnModel(const RpcEnv* env,
                                     absl::string_view method,
                                     grpc::CallbackServerContext* context,
                                     ModelWork work);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_UNARY_CALL_H_
