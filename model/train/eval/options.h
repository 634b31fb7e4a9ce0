// What an evaluation measures, and on how much.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "<field>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_OPTIONS_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/steering/mode.h"
#include "model/train/common/option_fields.h"

namespace alignsae {

struct EvalOptions {
  std::string alphas = "0.1,0.5,1,1.5,2,3,5,10,50";
  // Tried on validation wordings, once the layer is chosen by the first one.
  std::string modes = "SWAP,SET,ADD,ADD_NORM_MATCHED,REPLACE";
  int sample = 0;
  int select_sample = 25;
  int rows = 128;
  int max_tokens = 12;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("alphas", self.alphas, AnyText{},
          "Strengths of the swap, separated by commas");
    visit("modes", self.modes, AnyText{},
          "Modes to choose from, separated by commas; the layer is chosen by "
          "the first");
    visit("sample", self.sample, Range{0, 1e6},
          "People of each half in the figures; 0: all");
    visit("select_sample", self.select_sample, Range{0, 1e6},
          "People of each half in the choice of layer, mode and alpha; 0: all");
    visit("rows", self.rows, Range{1, 4096}, "Sequences in one engine step");
    visit("max_tokens", self.max_tokens, Range{1, 256},
          "Tokens of an answer at most");
  }
};

// "0.5,1,2" -> numbers, finite and distinct.
absl::StatusOr<std::vector<double>> ParseAlphas(absl::string_view text);

// "SWAP,ADD" -> modes, distinct.
absl::StatusOr<std::vector<InterventionMode>> ParseModes(
    absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_OPTIONS_H_
