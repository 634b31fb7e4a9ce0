// What a study trains and measures: cells, each one SAE with its options, hook
// point and seed.
//
//   {"name": "losses",
//    "about": "Which term makes a slot write.",   what it asks, for the report
//    "base": {"stage2_epochs": 20},               of every cell
//    "eval": {"sample": 25},                      the same
//    "axes": {"perp": [0, 1], "layer": [1, 2]},
//    "variants": {"no stage 1": {"stage1_epochs": 0}}}
//
// Cells are the product of the axes, the variants (one axis more) and the
// seeds 1 .. N. An axis or a key is an option of `sae` or `eval` (--help has
// them, with _ for -), of cell_options.h, "layer" or "hook". Layers beyond the
// model and more concepts than the data have are left out. "1/D" is one over
// the model's width; {"epoch": "kept"} is an axis of all kept checkpoints of
// the language model.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<plan>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_PLAN_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_PLAN_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/steering/hook_point.h"
#include "model/train/eval/options.h"
#include "model/train/sae/options.h"
#include "model/train/study/cell_options.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct StudyCell {
  nlohmann::ordered_json settings;  // Axis -> value, "variant" too.
  HookPoint hook = {HookKind::kResidPost, 1};
  SaeOptions sae;
  EvalOptions eval;
  CellOptions own;
  // Of everything above, the language model, its data and the program's
  // version: where the cell's figures are kept.
  std::string id;
};

struct StudyPlan {
  std::string name;
  std::string about;              // May be empty.
  std::vector<std::string> axes;  // Of the settings, in order.
  std::vector<StudyCell> cells;   // Seeds of one setting side by side.
};

struct StudyDefaults {
  SaeOptions sae;
  EvalOptions eval;
  int layers = 1;       // Of the language model.
  int width = 1;        // D, of the language model.
  int concepts = 6;     // R, of the data; 0 of prompts.
  int seeds = 1;        // Of each setting.
  std::string subject;  // Identifies the language model and its data.
  // Epoch -> the same of a kept checkpoint.
  std::map<int, std::string> kept = {};
};

inline constexpr int kMaxStudyCells = 100000;

absl::StatusOr<StudyPlan> ParseStudyPlan(const std::string& place,
                                         const nlohmann::ordered_json& json,
                                         const StudyDefaults& defaults);

// The plan of that name, or of the file at that path.
absl::StatusOr<StudyPlan> ReadStudyPlan(const std::string& name_or_path,
                                        const StudyDefaults& defaults);

std::vector<std::string> StudyPlanNames();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_PLAN_H_
