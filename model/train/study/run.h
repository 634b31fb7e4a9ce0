// Trains and measures the cells of a plan. Each cell's figures are a file of
// their own, DIR/cells/<id>.json, written when they are whole: a study goes on
// where it was stopped, and several processes may fill one directory.
//
//   {"settings": {...}, "hook": "resid_post[1]", "sae": {...}, "eval": {...},
//    "subject": "...", "seconds": 12.5,
//    "figures": {"test": {...}, "unseen": {...}, "chosen": {...}}}
//
// Thread-safety: one call per process and directory.
// Errors: those of MakeSae and Evaluate, with the cell's settings. A cell whose
// steering is not possible is not an error: its file has "refused" instead of
// "figures".

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/common/progress.h"
#include "model/train/eval/subject.h"
#include "model/train/study/plan.h"

namespace alignsae {

// Part `index` of `count`: every count-th cell. "2/3" is the second of three.
struct StudyShard {
  int index = 1;  // [1, count].
  int count = 1;
};
absl::StatusOr<StudyShard> ParseStudyShard(absl::string_view text);

struct StudyRun {
  EvalInputs inputs;
  std::string subject;  // As in StudyDefaults.
  std::string directory;
  StudyShard shard;
  Progress* progress = nullptr;       // May be null. Not owned.
  std::function<bool()> should_stop;  // May be empty.
};

// CANCELLED when should_stop said so.
absl::Status RunStudy(const StudyPlan& plan, const StudyRun& run);

// The file of a cell.
std::string CellPath(const std::string& directory, const StudyCell& cell);

// Its contents; NOT_FOUND when it has not been measured.
absl::StatusOr<nlohmann::json> ReadCell(const std::string& directory,
                                        const StudyCell& cell);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_RUN_H_
