// The way of a unary RPC: off gRPC's thread, and back with one Finish.
//
//   gRPC thread   the handler makes the call and returns
//   worker        parses; a request for the model goes to the scheduler
//   step thread   runs it
//   worker        renders the answer and finishes the call
//
// `request` and `response` of a handler live until its call is finished, so the
// functions given here may use them.
//
// Thread-safety: free functions, called from gRPC's threads.

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
#include "server/api/parse.h"
#include "server/api/serving.h"
#include "server/grpc/call.h"

namespace alignsae {

// What a call works with while it runs.
struct CallScope {
  Call* call = nullptr;
  std::shared_ptr<const Serving> serving;

  ParseEnv parse_env() const;
};

// What every call must pass before it is parsed: its metadata keep the rules,
// somebody still waits for it, and a model is loaded. UNAVAILABLE while
// starting and draining.
absl::StatusOr<CallScope> EnterCall(Call* call);

// Why a call that finds no worker is refused.
absl::Status WorkersBusy(Call& call);

// An RPC that needs no model: `work` fills the response.
using Work = std::function<absl::Status(const CallScope&)>;
grpc::ServerUnaryReactor* RunOnWorker(const RpcEnv* env,
                                      absl::string_view method,
                                      grpc::CallbackServerContext* context,
                                      Work work);

// An RPC that runs the model: `parse` makes the scheduler's request, `render`
// fills the response.
using ParseRequest =
    std::function<absl::StatusOr<RequestSpec>(const CallScope&)>;
using RenderAnswer =
    std::function<absl::Status(const CallScope&, std::vector<SequenceAnswer>&)>;
grpc::ServerUnaryReactor* RunOnModel(const RpcEnv* env,
                                     absl::string_view method,
                                     grpc::CallbackServerContext* context,
                                     ParseRequest parse, RenderAnswer render);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_UNARY_CALL_H_
