// What the measured cells of a plan say together: study.json, report.md and,
// where gnuplot is installed, SVG plots. Needs the working directory alone.
//
// Seeds of one setting are pooled: shares are over all their tries, with a 95 %
// Wilson interval; other figures are means with the lowest and highest seed.
//
// Thread-safety: one call per directory at a time.
// Errors: those of ReadStudyIndexes and ReadCell (but a missing cell is
// counted) and of the file writer.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/study/cells.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Terms of the loss that a report tells of ("terms"), in its order.
inline constexpr const char* kReportedTerms[] = {
    "total", "recon",  "sparse", "align", "perp", "val",
    "indep", "prefix", "write",  "l0",    "aux"};

// {"plan", "about", "command", "axes", "missing": cells, "settings": [
//   {"settings": {...}, "refused": [sentence, ..],
//    "cells": [{"seed", "id", "command", "read", "swap", ...: shares}],
//    "read" | "swap" | "unseen_read" | "unseen_swap" | "answers" | ...:
//      {n, rate, low, high},     of test wordings and of each held-out split
//    "fvu" | "l0" | "effective_features" | "effective_slots" | "alpha" | ...:
//      {mean, min, max},
//    "terms": {"recon": {mean, min, max}, ..},   of the last epoch
//    "groups": {name: {"read" | "swap" | "both": share}},   robustness.h
//    "mode": [..], "alpha_curve": [{"alpha", "swap"}],
//    "signatures": [{"name", "cells": how many show it, "saw", "change"}]}]}
//                                  common/signatures.h, of the test figures
absl::StatusOr<nlohmann::ordered_json> SummarizeStudy(
    const StudyIndex& index, const std::string& directory);

// As tables in Markdown.
std::string RenderStudy(const nlohmann::ordered_json& summary);

// Writes DIR/<plan>/{study.json,report.md,*.gp,*.svg} of every plan that DIR
// has, or of the one that is named. The paths of the reports.
absl::StatusOr<std::vector<std::string>> WriteStudyReports(
    const std::string& directory, const std::string& plan);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_REPORT_H_
