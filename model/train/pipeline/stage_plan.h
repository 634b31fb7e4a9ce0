// What the stages of a pipeline are, and about how long each takes, for one
// progress over all of them.
//
// Thread-safety: pure function.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_PLAN_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_PLAN_H_

#include <string>
#include <vector>

#include "model/train/common/progress.h"

namespace alignsae {

// Names as the pipeline gives them to its stages, in their order. The weights
// are minutes of the demo preset's stages on two cores (42 in all): other
// presets have other ones, and the estimate corrects itself as stages end.
std::vector<Progress::Part> PipelineParts(
    const std::vector<std::string>& hooks,
    const std::vector<std::string>& baselines);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_PLAN_H_
