// Which labelled prompts a bundle stores, to have its checkpoint checked while
// it is served (bundle/validation_prompts.h): few enough to be read in seconds.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_STORED_PROMPTS_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_STORED_PROMPTS_H_

#include <vector>

#include "model/steering/validation_prompt.h"
#include "model/train/data/eval_set.h"
#include "model/train/data/negatives.h"
#include "model/train/data/prompt_file.h"

namespace alignsae {

// Test wordings about some people of each half, with all facts as targets, and
// each test negative once.
std::vector<ValidationPrompt> StoredPromptsOf(
    const EvalSet& set, const std::vector<Negative>& negatives);

// Test prompts that are texts, with one concept or none; evenly chosen where
// there are too many.
std::vector<ValidationPrompt> StoredPromptsOf(const PromptSet& set);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_STORED_PROMPTS_H_
