// From nothing to a bundle: data, language model, SAEs behind several blocks,
// evaluation (which picks one), baselines, bundle.
//
// Every stage is done once (stage.h), and language-model and SAE
// training go on inside a stage, so a stopped run is continued by the same
// call. On one machine and thread count the same options give the same bits,
// however often the run was stopped.
//
// Work directory:
//   data/  lm/  sae/<hook>/  evaluation.json  baselines/<name>.json  stages/
// Bundle directory: model/bundle/manifest.h, and eval/ (data/eval_set.h).
//
// What an earlier run left of other options is made anew, half-trained or not.
// A run that is refused changes nothing in either directory.
//
// Thread-safety: one run per work directory at a time.
// Errors: INVALID_ARGUMENT names the option; CANCELLED when should_stop said
// so.
//
// Example:
//   PipelineRun run{.work = "run", .out = "demo", .progress = &progress};
//   ALIGNSAE_ASSIGN_OR_RETURN(nlohmann::json evaluation,
//                             RunPipeline(*FindPreset("demo"), run));

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_PIPELINE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_PIPELINE_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "model/train/common/progress.h"
#include "model/train/pipeline/presets.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Where and how to run.
struct PipelineRun {
  std::string work;                   // Directory of what is made on the way.
  std::string out;                    // Directory of the bundle.
  std::string name;                   // Of the bundle; empty: the preset's.
  std::string version = "1";          // Of the bundle.
  std::string commit;                 // Of the sources, for the provenance.
  std::string tokenizer_directory;    // As LmRun.
  std::string init_from;              // As LmRun.
  std::string device = "cpu";         // As ParseDevice (tensor/device.h).
  std::function<bool()> should_stop;  // Asked often; may be empty.
  Progress* progress = nullptr;       // May be null. Not owned.
};

// The evaluation object, with baselines, as it is in the bundle.
absl::StatusOr<nlohmann::json> RunPipeline(const TrainPreset& preset,
                                           const PipelineRun& run);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_PIPELINE_H_
