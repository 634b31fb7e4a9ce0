// What --require-binding asks of a generation before it is READY: that its
// checkpoints read the labelled prompts right that their bundle stores.
//
// Threads: on the step thread, which runs the steps; blocks for as long as they
// take (a step for every few prompts, which leave at the hook).
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_REGISTRY_BINDING_CHECK_H_
#define ALIGNSAE_SERVER_REGISTRY_BINDING_CHECK_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

struct BindingRule {
  double least = 0;  // Share of prompts, in [0, 1]; 0: nothing is asked.
  // Told the share of each checkpoint, also of one that fails; may be null.
  std::function<void(const std::string& checkpoint, double rate)> tell;
};

// Share of the stored prompts with a concept that checkpoint `index` reads
// right. FAILED_PRECONDITION where there is none.
absl::StatusOr<double> ReadStoredPrompts(StepExecutor& executor,
                                         const Catalog& catalog,
                                         const Tokenizer& tokenizer, int index);

// FAILED_PRECONDITION "checkpoint <name>: must read ..., got ..." for one that
// reads fewer than `rule.least`, or has concepts and stores no prompts.
absl::Status CheckBinding(StepExecutor& executor, const Catalog& catalog,
                          const Tokenizer& tokenizer, const BindingRule& rule);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_BINDING_CHECK_H_
