// What the measured cells of a plan say together: study.json, report.md and,
// where gnuplot is installed, SVG plots.
//
// Seeds of one setting are pooled: shares are over all their tries, with a 95 %
// Wilson interval; other figures are means with the lowest and highest seed.
//
// Thread-safety: one call per directory at a time.
// Errors: those of ReadCell (but not NOT_FOUND: a missing cell is counted) and
// of the file writer.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/study/plan.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// {"plan", "axes", "missing": cells, "settings": [
//   {"settings": {...}, "seeds": [..], "refused": [sentence, ..],
//    "read" | "swap" | "unseen_read" | "unseen_swap": {n, rate, low, high},
//    "fvu" | "l0" | "effective_features" | "effective_slots" | "alpha":
//      {mean, min, max},
//    "mode": [..], "alpha_curve": [{"alpha", "swap"}]}]}
absl::StatusOr<nlohmann::ordered_json> SummarizeStudy(
    const StudyPlan& plan, const std::string& directory);

std::string RenderStudy(const nlohmann::ordered_json& summary);

// The gnuplot script that draws `svg` from a summary: the shares along the
// plan's one numeric axis, or a bar for each setting.
std::string StudyPlot(const nlohmann::ordered_json& summary,
                      const std::string& svg);

// Writes DIR/<plan>/{study.json,report.md,swap.gp,swap.svg}.
absl::Status WriteStudyReport(const StudyPlan& plan,
                              const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_
