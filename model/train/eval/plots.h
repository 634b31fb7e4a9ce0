// An evaluation as pictures: SVG files that gnuplot draws.
//
//   layers.svg     swap success and diagonal accuracy behind each block
//   alphas.svg     swap success over the strength, of the SAE and the baselines
//   confusion.svg  which concept is read where which one is asked
//
// What the evaluation does not have is not drawn.
//
// Thread-safety: one call per directory at a time; runs a process.
// Errors: NOT_FOUND: gnuplot is not installed; INTERNAL: it failed, and says
// why on standard error; those of writing files.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_PLOTS_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_PLOTS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// gnuplot scripts by the name of the picture that each makes beside itself.
std::map<std::string, std::string> PlotScripts(
    const nlohmann::json& evaluation);

// Runs gnuplot in `directory` on a script that lies there.
absl::Status RunGnuplot(const std::string& directory,
                        const std::string& script);

// Draws into `directory`, which is made. The names of the files.
absl::StatusOr<std::vector<std::string>> DrawPlots(
    const nlohmann::json& evaluation, const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_PLOTS_H_
