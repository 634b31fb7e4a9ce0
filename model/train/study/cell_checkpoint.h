// The checkpoint that a cell of a study measures.
//
//   sae                an AlignSAE by the cell's options
//   random_directions  the same, but each slot writes a random direction of the
//                      norm of its own: reads as well, and shows what a push of
//                      that size does by itself
//   others             eval/baseline_checkpoints.h
//
// Thread-safety: one call per directory at a time.
// Errors: those of MakeSae and MakeBaselineCheckpoint.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_CELL_CHECKPOINT_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_CELL_CHECKPOINT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "model/sae/sae.h"
#include "model/train/eval/subject.h"
#include "model/train/sae/checkpoint.h"
#include "model/train/study/plan.h"

namespace alignsae {

// At most `per_concept` prompts of each concept, of those that train and of
// those that calibrate; `seed` decides which. 0: all of them. Prompts with no
// concept or several stay.
SaeInputs WithFewLabels(const SaeInputs& inputs, int per_concept,
                        uint64_t seed);

// `sae` is the cell's, with its directory (gets log.jsonl where an SAE is
// trained in both stages), progress and stop.
absl::StatusOr<Sae> MakeCellCheckpoint(const StudyCell& cell,
                                       const EvalInputs& people,
                                       const SaeInputs& inputs,
                                       const SaePlan& sae);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_CELL_CHECKPOINT_H_
