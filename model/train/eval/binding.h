// Binding: which slot lights up when a relation is asked. Read through the
// engine as a server reads it, at the last prompt token.
//
// Thread-safety: value types; free functions.
// Errors: those of the engine's steps.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_BINDING_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_BINDING_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/eval_set.h"
#include "model/train/eval/swap.h"

namespace alignsae {

struct BindingCounts {
  int64_t prompts = 0;
  int64_t top1 = 0;  // The asked concept has the highest probability.
  int64_t top2 = 0;  // ... is among the two highest.
  int64_t top3 = 0;
  int64_t bound = 0;      // Some slot reaches its threshold.
  int64_t own_bound = 0;  // The asked concept's slot does.
  // Probability of the asked concept minus the best other one, summed.
  double margin_sum = 0;

  void Add(const BindingCounts& other);
  double Rate(int64_t count) const {
    return prompts > 0
               ? static_cast<double>(count) / static_cast<double>(prompts)
               : 0;
  }
  double margin() const {
    return prompts > 0 ? margin_sum / static_cast<double>(prompts) : 0;
  }
};

struct BindingTable {
  BindingCounts asked;
  BindingCounts never_asked;
  std::vector<BindingCounts> by_relation;
  // [asked relation][top concept], counts of prompts.
  std::vector<std::vector<int64_t>> confusion;

  BindingCounts all() const;
};

// `thresholds[r]` of relation r; relation r is concept r of the checkpoint.
absl::StatusOr<BindingTable> MeasureBinding(
    const EvalContext& context, const std::vector<EvalPrompt>& prompts,
    int checkpoint, const std::vector<double>& thresholds);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_BINDING_H_
