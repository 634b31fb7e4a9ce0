// What runs, and the rows of the next step.
//
// A running unit is the sequences of one request that started together; they
// are fed side by side for as long as they live. BuildBatch makes one row for
// each of them: a token of its answer, or a part of its prompt within the
// step's budget.
//
// Pure: no clock, no lock, no call to anybody.
//
// Thread-safety: not thread-safe; the step thread owns all of it.

#ifndef ALIGNSAE_MODEL_SCHEDULER_STEP_BATCH_H_
#define ALIGNSAE_MODEL_SCHEDULER_STEP_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "model/scheduler/active_request.h"
#include "model/scheduler/fork_plan.h"
#include "model/scheduler/kv_slot_pool.h"
#include "model/scheduler/sequence.h"

namespace alignsae {

// One running sequence and its KV slot, which a fork's other members may read.
struct RunningMember {
  Sequence sequence;
  std::shared_ptr<KvSlot> kv_slot;
  absl::Time first_token = absl::InfinitePast();
  absl::Time last_token = absl::InfinitePast();
};

struct RunningUnit {
  std::shared_ptr<ActiveRequest> request;
  absl::Time started;
  std::vector<std::optional<RunningMember>> members;  // Empty: has ended.
  // Several members: where they part, and the lease of the KV slot that holds
  // what they share (one member's own) until the last of them has ended.
  std::optional<PromptFork> fork;
  std::shared_ptr<KvSlot> prefix;
  // The first member's KV slot, and how many of its positions are as without
  // edits.
  int first_slot = 0;
  int unedited = 0;
  // Of the next step, see StepShare: it is left out, or its prompt gets at most
  // so many tokens.
  bool passed_over = false;
  int prompt_part = INT32_MAX;

  int live() const;  // Members that have not ended.
  // Of the KV cache, by them and by what they share.
  KvAmount held() const;
  // Of the live members, all of the same prompt. With live() > 0.
  int prompt_length() const;
  // Prompt tokens that are not in the cache yet.
  int prompt_left() const;

 private:
  const Sequence& first_live() const;
};

// The rows of a step and whose they are.
struct StepBatch {
  std::vector<StepRow> rows;
  // Unit and index of its member. Rows of one unit lie side by side.
  std::vector<std::pair<RunningUnit*, size_t>> owners;
  int prompt_tokens = 0;        // Computed; what a fork shares counts once.
  int prefix_tokens_saved = 0;  // Not computed again, because it is shared.
};

// `running` must outlive the batch, unmoved. Units first come, first served:
// those behind may have to wait for a later step with their prompts. A step
// computes at most `max_prompt_tokens` of prompts, or a single position of one
// unit when its variants alone are more.
StepBatch BuildBatch(std::vector<RunningUnit>& running, int max_prompt_tokens);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_STEP_BATCH_H_
