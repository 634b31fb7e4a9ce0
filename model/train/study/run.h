// Trains and measures the cells of a plan, each into a file of its own
// (cells.h): a study goes on where it was stopped, and several processes may
// fill one directory.
//
//   {"settings": {...}, "hook": "resid_post[1]", "sae": {...}, "eval": {...},
//    "cell": {...}, "subject": "...", "seconds": 12.5,
//    "figures": {"test": {...}, "unseen": {...}, "chosen": {...},
//                "selection": {...}, "answers": {...},   the language model's
//                "training": {...},     every term of the last epoch
//                "groups": [...]}}      robustness.h, prompt_figures.h
//
// Thread-safety: one call per process at a time; any number of processes. A
// cell that another one is at is left to it, and done when that one ended
// without its figures.
// Errors: those of MakeCellCheckpoint and Evaluate, with the cell's settings. A
// cell whose steering is not possible, or whose slots are silent, is not an
// error: its file has "refused" instead of "figures".

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/common/progress.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/subject.h"
#include "model/train/study/plan.h"

namespace alignsae {

// Every count-th cell from the index-th on: "2/3" is the second of three. "0/3"
// is "3/3", so that an array of jobs may count from 0 or from 1.
struct StudyShard {
  int index = 1;  // [1, count].
  int count = 1;
};
absl::StatusOr<StudyShard> ParseStudyShard(absl::string_view text);

struct StudyRun {
  EvalInputs inputs;  // The set may be null where there are prompts.
  // Measured on instead of people. Not owned.
  const PromptSet* prompts = nullptr;
  std::string subject;  // As in StudyDefaults.
  std::string directory;
  StudyShard shard;
  std::string only;  // The id of the one cell to measure; empty: all.
  // Another state of inputs.model; asked for epochs that the plan has.
  std::function<absl::StatusOr<std::shared_ptr<const Transformer>>(int epoch)>
      kept_model;
  Progress* progress = nullptr;       // May be null. Not owned.
  std::function<bool()> should_stop;  // May be empty.
};

// CANCELLED when should_stop said so; NOT_FOUND when no cell is `only`.
absl::Status RunStudy(const StudyPlan& plan, const StudyRun& run);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_
