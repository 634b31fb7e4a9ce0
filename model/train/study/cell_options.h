// How a cell of a study is made and measured, beside the options of its SAE and
// of its evaluation.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_CELL_OPTIONS_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_CELL_OPTIONS_H_

#include <string>

#include "model/train/common/option_fields.h"

namespace alignsae {

struct CellOptions {
  std::string method = "sae";
  int labels = 0;
  int concepts = 0;
  std::string measure = "swaps";
  int epoch = 0;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("method", self.method,
          Choices{"sae", "class_means", "linear_probe", "separating_feature",
                  "output_feature", "random_directions"},
          "How the checkpoint is made: study/cell_checkpoint.h");
    visit("labels", self.labels, Range{0, 1e6},
          "Training prompts of each concept, and as many to calibrate it; 0: "
          "all");
    visit("concepts", self.concepts, Range{0, 1e6},
          "The first so many relations of the data, the others left out; 0: "
          "all");
    visit("measure", self.measure, Choices{"swaps", "robustness"},
          "robustness: groups of prompts besides (study/robustness.h)");
    visit("epoch", self.epoch, Range{0, 100000},
          "Kept checkpoint of the language model; 0: the model itself");
  }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_CELL_OPTIONS_H_
