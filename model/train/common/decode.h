// Greedy answers of many arms of many prompts, by the scheduler that serves
// (run_requests.h). Arms of one prompt are variants of it: what they share is
// computed once (model/scheduler/fork_plan.h).
//
// Thread-safety: not thread-safe; the caller owns the executor.
// Errors: OUT_OF_RANGE for a prompt that the context cannot hold; those of
// a step that are not the arm's own; an arm whose logits were not finite is an
// answer like any other (`failed`).

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_DECODE_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_DECODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/engine/step_executor.h"
#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

struct DecodeOptions {
  // Blocks, context length and the ends of an answer; the checkpoints that the
  // interventions name.
  std::shared_ptr<const Catalog> catalog;
  int max_tokens = 12;  // Of an answer; the context may leave room for fewer.
};

// One prompt; its arms are numbered from 0.
struct DecodeJob {
  absl::Span<const int32_t> prompt;  // Not empty; must outlive the call.
  int arms = 1;
};

struct ArmAnswer {
  std::vector<int32_t> tokens;  // Without the token that ended it.
  bool ended = false;           // An end came; else the answer was cut.
  bool failed = false;          // Logits not finite, because of the edit.
};

struct DecodeCalls {
  // Edits of one arm. An arm may be asked for twice.
  std::function<InterventionList(int job, int arm)> interventions;
  std::function<void(int job, int arm, const ArmAnswer&)> on_answer;  // Once.
  // After each step, with the arms that are done. May be empty; an error stops
  // the call and is returned.
  std::function<absl::Status(int64_t done)> on_step;
};

absl::Status DecodeArms(StepExecutor& executor,
                        absl::Span<const DecodeJob> jobs,
                        const DecodeOptions& options, const DecodeCalls& calls);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_DECODE_H_
