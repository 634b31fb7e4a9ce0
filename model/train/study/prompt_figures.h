// The figures of a checkpoint on labelled prompts, in the form of those on
// people (eval/eval.h), so that one report shows both.
//
// Alpha is not chosen: the first one of the options counts, the others are the
// curve.
//
// Thread-safety: as EvalSubject.
// Errors: those of EvaluatePrompts and ParseAlphas.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_PROMPT_FIGURES_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_PROMPT_FIGURES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/options.h"
#include "model/train/eval/subject.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// The prompts with at most `groups` groups in the test split, evenly chosen; 0:
// all of them.
PromptSet WithFewTestGroups(const PromptSet& set, int groups);

// Of each prompt, the step that it asks for: 1, and 1 more for each other
// prompt of its group that it goes on from (that it begins with).
std::vector<int> StepsOf(const PromptSet& set);

// {"test": {"binding", "swap", "written"}, "chosen", "answers", "groups"} of
// checkpoint 0. "groups" has each step and each facet by itself, where there
// are several.
absl::StatusOr<nlohmann::json> PromptFigures(EvalSubject& subject,
                                             const PromptSet& set,
                                             const EvalOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_PROMPT_FIGURES_H_
