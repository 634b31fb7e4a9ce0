// What the pipeline does beside training one model and one SAE.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "<field>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_OPTIONS_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/steering/hook_point.h"
#include "model/train/common/option_fields.h"

namespace alignsae {

struct PipelineOptions {
  std::string layers = "0,1,2,3,4";
  std::string baselines = "all";

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("layers", self.layers, AnyText{},
          "Where an SAE is trained: blocks behind which (resid_post), or hook "
          "points such as resid_mid[0], separated by commas; the best one on "
          "validation wordings goes into the bundle");
    visit("baselines", self.baselines, AnyText{},
          "Baselines to measure: all, none, or names separated by commas");
  }
};

// "0,resid_mid[2]" -> distinct hook points of blocks in [0, n_layer); a number
// is resid_post of that block.
absl::StatusOr<std::vector<HookPoint>> ParseHooks(absl::string_view text,
                                                  int n_layer);

// Names of baselines.h.
absl::StatusOr<std::vector<std::string>> ParseBaselines(absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_OPTIONS_H_
