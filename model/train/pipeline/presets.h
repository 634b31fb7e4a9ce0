// Named sets of options for the whole path from data to bundle.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_PRESETS_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_PRESETS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/train/data/corpus.h"
#include "model/train/eval/options.h"
#include "model/train/lm/options.h"
#include "model/train/pipeline/options.h"
#include "model/train/sae/options.h"

namespace alignsae {

struct TrainPreset {
  std::string name;
  std::string description;
  DataOptions data;
  LmOptions lm;
  SaeOptions sae;
  EvalOptions eval;
  PipelineOptions pipeline;
};

inline constexpr char kDefaultPreset[] = "demo";

// tiny, demo, gpt2-small, authors.
std::vector<std::string> PresetNames();
std::optional<TrainPreset> FindPreset(absl::string_view name);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_PRESETS_H_
