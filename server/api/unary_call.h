// The way of a unary RPC: off the transport's thread, and back with one Done.
//
//   transport          makes the call and starts its function
//   interactive lane   parses; a request for the model goes to the scheduler
//   step thread        runs it
//   interactive lane   renders the answer and is done; the background lane
//                      where it is large
//
// A call with work that takes seconds waits, once it is parsed, until there is
// room for its answer; behind the step that work, rendering and the end are in
// the background lane.
//
// A call waits in the lanes' and the scheduler's queues only, on no thread.
//
// Threads: the functions here are called from the transport's threads and do
// not block. Done runs in a lane, or at once on the caller's thread when the
// lane is full; a refusal may be put off (paced_refusal.h).
// Ownership: what the work refers to (request and response) belongs to the
// transport and lives until Done. The call and its model's lease are held until
// then.

#ifndef ALIGNSAE_SERVER_API_UNARY_CALL_H_
#define ALIGNSAE_SERVER_API_UNARY_CALL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/api/answer_collector.h"
#include "server/api/call.h"
#include "server/api/paced_refusal.h"
#include "server/api/parse_env.h"

namespace alignsae {

// What `work` says; RESOURCE_EXHAUSTED, reason MEMORY, when it finds no memory:
// that ends its call and nothing else.
absl::Status WithoutMemoryFailure(const std::function<absl::Status()>& work);

// What a call works with while it runs.
struct CallScope {
  std::shared_ptr<Call> call;
  ModelLease model;

  ParseEnv parse_env() const;
  // Hands the call's request to its model, as of its client and up to its
  // deadline, if the policy allows all of it; a cancel of the call ends it.
  // Errors: what Call::WhyStop, Call::Permit and Scheduler::Submit say.
  absl::StatusOr<RequestHandle> Submit(RequestSpec spec,
                                       std::shared_ptr<RequestSink> sink) const;
};

// What every call must pass before it is parsed: its ids keep the rules,
// the policy knows who calls and allows the RPC, somebody still waits for it,
// and the model that it asks for is loaded and allowed. UNAVAILABLE while
// starting and draining; NOT_FOUND; what PolicyGuard says.
absl::StatusOr<CallScope> EnterCall(std::shared_ptr<Call> call);

// Work that needs no step.
struct DirectWork {
  // Fills the response. Up to a few milliseconds for small ones.
  std::function<absl::Status(const CallScope&)> run;
  int64_t request_bytes = 0;  // Of the request, while it waits.
  // What the answer may take at most; waits until there is room for it. Large
  // ones are made in the background lane.
  int64_t answer_bytes = 0;
  bool slow = false;  // Takes longer than a millisecond: the background lane's.
};
void RunDirect(std::shared_ptr<Call> call, DirectWork work, Done done);

// An RPC that runs the model.
using AnswerWork =
    std::function<absl::Status(const CallScope&, std::vector<SequenceAnswer>&)>;
struct ModelWork {
  int64_t request_bytes = 0;  // Of the request, while it waits for a lane.
  // Makes the scheduler's request.
  std::function<absl::StatusOr<RequestSpec>(const CallScope&)> parse;
  // Fills the response.
  AnswerWork render;
  // Before `render`, in the background lane; may be null. Does a part of it, a
  // tenth of a second or so, and says whether that was the last one; between
  // two parts others have their turn. Looks at Call::WhyStop first and ends
  // with what that says.
  std::function<absl::StatusOr<bool>(const CallScope&,
                                     std::vector<SequenceAnswer>&)>
      background = nullptr;
  // Asked once the request is parsed: what such work adds to the answer, in
  // bytes at most; 0: there is none to do.
  std::function<int64_t(const RequestSpec&)> background_bytes = nullptr;
};
void RunOnModel(std::shared_ptr<Call> call, ModelWork work, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_UNARY_CALL_H_
