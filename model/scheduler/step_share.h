// StepShare: which of the running units take part in a step.
//
// A step costs more the more rows it has, and the longer they are; a row that
// needs ten steps more pays that for each of them. So a unit that is soon done
// (it does not run long, and little of its prompt is left) goes without the
// others until those steps have taken kShare times as long as the last step
// with them did, and then the others take part again, with kSharedPrompt tokens
// of the first prompt among them. While there are both kinds, what is soon done
// has that share of the time, and needs for all its steps together little more
// than 1 + 1 / kShare times what it needs alone. When all is of one kind,
// everybody takes part.
//
// Bound: after kMostPassed steps without them the others take part whatever the
// times were.
//
// Thread-safety: not thread-safe; the step thread owns it. Time is an argument.

#ifndef ALIGNSAE_MODEL_SCHEDULER_STEP_SHARE_H_
#define ALIGNSAE_MODEL_SCHEDULER_STEP_SHARE_H_

#include <vector>

#include "absl/time/time.h"
#include "model/scheduler/step_batch.h"

namespace alignsae {

class StepShare {
 public:
  static constexpr int kShare = 2;
  static constexpr int kMostPassed = 32;
  static constexpr int kSharedPrompt = 128;

  // For the next step: sets passed_over and prompt_part of every unit.
  void Choose(std::vector<RunningUnit>& running);
  // The step that was chosen for took so long.
  void Took(absl::Duration duration);

 private:
  bool with_others_ = false;                    // The step chosen last.
  absl::Duration owed_ = absl::ZeroDuration();  // Before the next with others.
  int passed_ = 0;                              // Steps since the last one.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_STEP_SHARE_H_
