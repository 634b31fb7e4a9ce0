// PromptPace: how many prompt tokens the next step may compute, by what those
// before it took.
//
// Who comes while a step runs waits for its end, so a step that computes long
// prompts shall not take longer than `step`, on whatever processor. Below
// kLeast tokens the weights would be read for too little work: then a step may
// take longer.
//
// Thread-safety: not thread-safe; the step thread owns it. Time is an argument.

#ifndef ALIGNSAE_MODEL_SCHEDULER_PROMPT_PACE_H_
#define ALIGNSAE_MODEL_SCHEDULER_PROMPT_PACE_H_

#include "absl/time/time.h"

namespace alignsae {

class PromptPace {
 public:
  static constexpr int kLeast = 128;

  // `step` > 0; InfiniteDuration: as many tokens as there may be.
  explicit PromptPace(absl::Duration step) : step_(step) {}

  // Of the next step, at most `most`.
  int Tokens(int most) const;
  // A step that computed `prompt_tokens` of prompts, and `rows` rows in all,
  // took so long.
  void Took(absl::Duration duration, int prompt_tokens, int rows);

 private:
  const absl::Duration step_;
  absl::Duration token_ = absl::ZeroDuration();  // One takes; 0: not known.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_PROMPT_PACE_H_
