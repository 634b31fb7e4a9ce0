// Many requests through the scheduler that serves, as fast as they go: what is
// evaluated is computed by the same loop that answers clients, forks included.
//
// Thread-safety: one thread, which becomes the step thread for the call.
// Errors: what `after_step` says; Submit's. A request that ends badly is told
// to its sink alone.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_RUN_REQUESTS_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_RUN_REQUESTS_H_

#include <functional>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "model/engine/step_executor.h"
#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

struct RequestToRun {
  RequestSpec spec;
  std::shared_ptr<RequestSink> sink;
};

struct RequestCalls {
  // The next request. nullopt: none for the moment; asked again after each
  // step, so that an answer may ask for more.
  std::function<std::optional<RequestToRun>()> next;
  // May be empty; an error stops the run. What runs then is told no end.
  std::function<absl::Status()> after_step;
};

// Returns when nothing runs and `next` has nothing. Of the catalog it takes the
// number of blocks, the ends of an answer and the checkpoints' hooks.
absl::Status RunRequests(StepExecutor& executor,
                         std::shared_ptr<const Catalog> catalog,
                         const RequestCalls& calls);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_RUN_REQUESTS_H_
