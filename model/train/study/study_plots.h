// gnuplot scripts that draw a study's summary (report.h).
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_STUDY_PLOTS_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_STUDY_PLOTS_H_

#include <map>
#include <string>

#include "nlohmann/json.hpp"

namespace alignsae {

// "perp 0, no stage 1" of a cell's settings; "all" of none.
std::string SettingLabel(const nlohmann::ordered_json& settings);

// By the name of the picture, without .svg:
//   swap    reading and swapping with their intervals: lines along the axis of
//           numbers with the most values (three or more), one for each of the
//           other settings; without such an axis, a row for each setting
//   alphas  the swap's success by setting and strength, as a heat map
// What has not been measured is not drawn.
std::map<std::string, std::string> StudyPlots(
    const nlohmann::ordered_json& summary);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_STUDY_PLOTS_H_
