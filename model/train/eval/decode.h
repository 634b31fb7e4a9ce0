// Greedy answers of many arms of many prompts, through the same StepExecutor
// that the server runs.
//
// Arms of one prompt share a KV slot: all of them edit the last prompt position
// only, so what the slot holds before it is the same for each, and an arm costs
// its last prompt token and its answer, not the prompt. Slots run side by side;
// one that is done takes the next prompt.
//
// Thread-safety: not thread-safe; the caller owns the executor.
// Errors: those of a step that are not the arm's own; an arm whose logits were
// not finite is an answer like any other (`failed`).

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_DECODE_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_DECODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/engine/step_executor.h"

namespace alignsae {

struct DecodeOptions {
  int max_tokens = 12;  // Of an answer.
  int32_t eos = -1;     // Ends an answer.
  int context_length = 0;
};

// One prompt; its arms are numbered from 0.
struct DecodeJob {
  absl::Span<const int32_t> prompt;  // Not empty; must outlive the call.
  int arms = 1;
};

using ArmInterventions = std::shared_ptr<const std::vector<Intervention>>;

struct ArmAnswer {
  std::vector<int32_t> tokens;  // Without eos.
  bool ended = false;           // eos came; else the answer was cut.
  bool failed = false;          // Logits not finite, because of the edit.
};

struct DecodeCalls {
  // Edits of one arm; they may touch the last prompt position only.
  std::function<ArmInterventions(int job, int arm)> interventions;
  std::function<void(int job, int arm, const ArmAnswer&)> on_answer;
  // After each step, with the arms that are done. May be empty; an error stops
  // the call and is returned.
  std::function<absl::Status(int64_t done)> on_step;
};

absl::Status DecodeArms(StepExecutor& executor,
                        absl::Span<const DecodeJob> jobs,
                        const DecodeOptions& options, const DecodeCalls& calls);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_DECODE_H_
