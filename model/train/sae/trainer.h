// Trains one AlignSAE on residuals of a frozen language model.
//
// Stage 1 learns a dictionary (reconstruction and sparsity, no labels); stage 2
// adds the terms that bind concept r to slot r. The stages differ only in the
// weights of their terms. A term that no row can say anything about (no answers
// in the data) is not computed. The learning rate is constant, as in the paper.
//
// One device and thread count, one seed: the same bits, also after a stop. The
// state (weights, moments, epoch, log, hash of data and options) is written
// atomically every `checkpoint_every` epochs and picked up by the next call
// with the same data and options; an epoch's order is a function of (seed,
// epoch). Residuals that are in blocks (dataset.h) train in another order than
// those that are all in memory, and so to other bits; one block of them all
// gives the same.
//
// Letters: N rows, D d_model, R concepts, V answer tokens.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT names the option or the tensor; FAILED_PRECONDITION
// when the state file belongs to other data or options, or a loss is not
// finite; those of checkpoint.h for the state file.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(TrainedSae trained, TrainSae(data, options, {}));
//   const SaeWeights& weights = trained.weights;

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_TRAINER_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_TRAINER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/sae/sae.h"
#include "model/train/sae/dataset.h"
#include "model/train/sae/epoch_log.h"
#include "model/train/sae/model.h"
#include "model/train/sae/options.h"
#include "model/train/sae/rows.h"
#include "model/train/sae/value_heads.h"

namespace alignsae {

struct TrainedSae {
  SaeShape shape;  // As served: batchtopk is jumprelu by then.
  SaeWeights weights;
  double scale = 1;  // Mean norm of the residuals; 1 with scale "none".
  ValueHeads heads;
  std::vector<SaeEpochLog> log;
};

struct SaeRun {
  // Empty: no checkpoints. Its directory is made where it is missing.
  std::string state_path;
  // Called after each epoch with the number of all epochs. May be empty. An
  // error stops the run and is returned; what was checkpointed is kept.
  std::function<absl::Status(const SaeEpochLog&, int)> on_epoch;
};

// Whether TrainSae takes the options, whatever the data.
absl::Status CheckSaeOptions(const SaeOptions& options);

// A run that is refused writes nothing.
absl::StatusOr<TrainedSae> TrainSae(const SaeDataset& data,
                                    const SaeOptions& options,
                                    const SaeRun& run);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_TRAINER_H_
