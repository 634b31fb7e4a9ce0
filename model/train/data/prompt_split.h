// Which labelled prompts train, which tune and which measure.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_SPLIT_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_SPLIT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "model/train/data/prompt_file.h"

namespace alignsae {

// Gives every group a split, 60 : 20 : 20 and at least one group to each, for
// each set of concepts by itself (that of the group's first prompt); negatives
// count as one. An order drawn from `seed` decides. Equal prompts without
// a group are one. Fewer than three groups of a concept are refused.
absl::Status SplitByGroup(uint64_t seed, PromptSet& set);

// What ParsePrompts refuses about splits and balance.
absl::Status CheckSplits(const PromptSet& set);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_SPLIT_H_
