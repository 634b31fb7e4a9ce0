// Trains the language model: texts as they are, questions by their answers.
//
// On one machine and thread count the same texts, options and seed give the
// same bits, also after stop and resume: the order of an epoch is a function of
// (seed, epoch), and the checkpoint holds everything else.
//
// Directory that a run owns:
//   gpt2/                 Hugging Face layout, the model of the last checkpoint
//   training.safetensors  weights, moments, step, sums of the epoch's losses,
//                         options, data hash
//   kept/                 models along the way, with options.keep_every
//   (kept.h) log.jsonl             one line per epoch lm.json options and
//   result, written when training is
//                         finished; what is not known is null
// A run that is refused changes nothing in it.
//
// Thread-safety: one run per directory at a time.
// Errors: INVALID_ARGUMENT names the option; FAILED_PRECONDITION when the
// directory holds a run with other options or data; DATA_LOSS for a damaged
// checkpoint.
//
// Example:
//   LmRun run{.directory = "out/lm"};
//   ALIGNSAE_ASSIGN_OR_RETURN(LmResult result, TrainLm(texts, options, run));

#ifndef ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_
#define ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/train/common/progress.h"
#include "model/train/data/lm_texts.h"
#include "model/train/lm/options.h"
#include "model/train/lm/probe.h"

namespace alignsae {

// Where and how to run; what does not change the result, except the two
// directories to start from.
struct LmRun {
  std::string directory;
  std::string tokenizer_directory =
      {};                        // Empty: a vocabulary trained on the data.
  std::string init_from = {};    // Empty: random weights.
  std::string device = "cpu";    // As ParseDevice (model/tensor/device.h).
  bool restart = false;          // Ignore an earlier run's checkpoint.
  int64_t stop_after_steps = 0;  // Of this run; 0: until finished.
  std::function<bool()> should_stop =
      {};                        // Asked after each step; may be empty.
  Progress* progress = nullptr;  // May be null. Not owned.
};

struct LmResult {
  bool finished = false;  // False: stopped; the checkpoint goes on from here.
  int64_t steps = 0;      // Since the beginning.
  // Means over the steps of the last epoch, whole or stopped; nullopt: no step
  // measured it.
  std::optional<double> biography_loss;
  std::optional<double> question_loss;
  ProbeResult accuracy;  // When finished: test wordings, all people.
};

// Whether TrainLm would begin, for a run that starts anew: everything that is
// refused before the first step, except a checkpoint. Writes nothing. Returns
// the number of blocks of the model.
absl::StatusOr<int> CheckLm(const LmTexts& texts, const LmOptions& options,
                            const LmRun& run);

absl::StatusOr<LmResult> TrainLm(const LmTexts& texts, const LmOptions& options,
                                 const LmRun& run);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_
