// Trains the language model: biographies as text, questions by their answers.
//
// On one machine and thread count the same corpus, options and seed give the
// same bits, also after stop and resume: the order of an epoch is a function of
// (seed, epoch), and the checkpoint holds everything else.
//
// Directory that a run owns:
//   gpt2/                 Hugging Face layout, the model of the last checkpoint
//   training.safetensors  weights, moments, step, options, data hash
//   log.jsonl             one line per epoch
//   lm.json               options and result, written when training is finished
//
// Thread-safety: one run per directory at a time.
// Errors: INVALID_ARGUMENT names the option; FAILED_PRECONDITION when the
// directory holds a run with other options or data; DATA_LOSS for a damaged
// checkpoint.
//
// Example:
//   LmRun run{.directory = "out/lm"};
//   ALIGNSAE_ASSIGN_OR_RETURN(LmResult result, TrainLm(corpus, options, run));

#ifndef ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_
#define ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "model/train/common/progress.h"
#include "model/train/data/corpus.h"
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
  std::string device = "cpu";    // "cpu" or "cuda".
  bool restart = false;          // Ignore an earlier run's checkpoint.
  int64_t stop_after_steps = 0;  // Of this run; 0: until finished.
  std::function<bool()> should_stop =
      {};                        // Asked after each step; may be empty.
  Progress* progress = nullptr;  // May be null. Not owned.
};

struct LmResult {
  bool finished = false;  // False: stopped; the checkpoint goes on from here.
  int64_t steps = 0;      // Since the beginning.
  // Of the last whole or stopped epoch.
  double biography_loss = 0;
  double question_loss = 0;
  double tokens_per_second = 0;
  ProbeResult accuracy;  // When finished: test wordings, all people.
};

absl::StatusOr<LmResult> TrainLm(const Corpus& corpus, const LmOptions& options,
                                 const LmRun& run);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_LM_TRAINER_H_
