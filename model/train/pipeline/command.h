// The command line that makes a bundle, for its provenance.
//
// Thread-safety: free function.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_COMMAND_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_COMMAND_H_

#include <string>

#include "model/train/pipeline/presets.h"

namespace alignsae {

// The preset and what differs from it. Without paths, so that it does not
// depend on where it ran: "DIR" stands for the directories that were given.
std::string PipelineCommand(const TrainPreset& preset, bool init_from,
                            bool tokenizer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_COMMAND_H_
