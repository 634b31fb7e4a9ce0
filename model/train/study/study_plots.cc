#include "model/train/study/study_plots.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::pair<const char*, const char*> kPanels[] = {
    {"read", "read, test wordings"},
    {"swap", "swapped, test wordings"},
    {"unseen_swap", "swapped, unseen wordings"}};

std::string ScriptHead(const std::string& picture, int width, int height) {
  return absl::StrFormat(
      "set terminal svg size %d,%d noenhanced background '#ffffff'\n"
      "set output '%s.svg'\nset grid y\n",
      width, height, picture);
}

// The axis to draw along; empty: there is none.
std::string NumericAxis(const Json& summary) {
  std::string best;
  size_t most = 2;
  for (const Json& axis : summary["axes"]) {
    const std::string name = axis;
    std::set<double> values;
    bool numeric = true;
    for (const Json& setting : summary["settings"]) {
      const Json& value = setting["settings"][name];
      numeric = numeric && value.is_number();
      if (numeric) values.insert(value.get<double>());
    }
    if (!numeric || values.size() <= most) continue;
    most = values.size();
    best = name;
  }
  return best;
}

// "rate low high" of a share.
std::string Numbers(const Json& share) {
  return absl::StrFormat("%g %g %g", share["rate"].get<double>(),
                         share["low"].get<double>(),
                         share["high"].get<double>());
}

// "x rate low high", or nothing where the setting was not measured.
std::string Point(const std::string& x, const Json& setting,
                  const char* share) {
  if (!setting.contains(share)) return "";
  return absl::StrCat(x, " ", Numbers(setting[share]), "\n");
}

// One line for each of the other settings, in each panel.
std::string Lines(const Json& summary, const std::string& axis) {
  std::vector<std::pair<std::string, std::vector<const Json*>>> lines;
  double low = 0;
  double high = 0;
  for (const Json& setting : summary["settings"]) {
    Json rest = setting["settings"];
    const double x = rest[axis].get<double>();
    if (x > 0) low = low == 0 ? x : std::min(low, x);
    high = std::max(high, x);
    rest.erase(axis);
    const std::string label = SettingLabel(rest);
    const auto found =
        std::find_if(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.first == label; });
    if (found != lines.end()) {
      found->second.push_back(&setting);
    } else {
      lines.push_back({label, {&setting}});
    }
  }
  std::string script =
      ScriptHead("swap", 1280, 420 + 18 * static_cast<int>(lines.size()));
  std::string panels;
  for (const auto& [share, title] : kPanels) {
    std::vector<std::string> parts;
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string block = absl::StrCat("$", share, i);
      std::string data;
      for (const Json* setting : lines[i].second) {
        data += Point((*setting)["settings"][axis].dump(), *setting, share);
      }
      if (data.empty()) continue;
      absl::StrAppend(&script, block, " << END\n", data, "END\n");
      parts.push_back(absl::StrCat(block, " using 1:2:3:4 with yerrorlines ",
                                   "pt 7 ps 0.4 title \"", lines[i].first,
                                   "\""));
    }
    if (parts.empty()) continue;
    absl::StrAppend(&panels, "set title '", title, "'\nplot ",
                    absl::StrJoin(parts, ", \\\n  "), "\n");
  }
  if (panels.empty()) return "";
  return absl::StrCat(
      script, "set yrange [0:1.05]\nset key below maxcols 1\nset xlabel '",
      axis, "'\n", low > 0 && high / low > 50 ? "set logscale x\n" : "",
      "set multiplot layout 1,3\n", panels, "unset multiplot\n");
}

// A row for each setting.
std::string Bars(const Json& summary) {
  std::string data;
  int rows = 0;
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("swap")) continue;
    absl::StrAppend(&data, rows++, " \"", SettingLabel(setting["settings"]),
                    "\"");
    for (const auto& [share, title] : kPanels) {
      absl::StrAppend(
          &data, " ",
          setting.contains(share) ? Numbers(setting[share]) : "NaN NaN NaN");
    }
    data += "\n";
  }
  if (data.empty()) return "";
  std::string plot;
  int column = 3;
  for (const auto& [share, title] : kPanels) {
    absl::StrAppend(&plot, plot.empty() ? "" : ", \\\n  ", "$cells using ",
                    column, ":($1+", 0.2 * (column - 6) / 3, "):", column + 1,
                    ":", column + 2, plot.empty() ? ":ytic(2)" : "",
                    " with xerrorbars pt 7 ps 0.4 title '", title, "'");
    column += 3;
  }
  return absl::StrCat(
      ScriptHead("swap", 1100, 120 + 22 * rows), "$cells << END\n", data,
      "END\nset xrange [-0.02:1.05]\nset yrange [", rows, ":-1]\nset grid x\n",
      "set xlabel 'share'\nset key top outside horizontal\nset lmargin 60\n"
      "plot ",
      plot, "\n");
}

std::string HeatMap(const Json& summary) {
  std::string columns;
  std::string rows;
  size_t alphas = 0;
  int count = 0;
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("alpha_curve")) continue;
    const Json& curve = setting["alpha_curve"];
    if (alphas == 0) {
      alphas = curve.size();
      for (const Json& point : curve) {
        absl::StrAppendFormat(&columns, " \"%g\"",
                              point["alpha"].get<double>());
      }
    }
    if (curve.size() != alphas) continue;  // A mode's own best alpha besides.
    absl::StrAppend(&rows, "\"", SettingLabel(setting["settings"]), "\"");
    for (const Json& point : curve) {
      absl::StrAppendFormat(&rows, " %g", point["swap"].get<double>());
    }
    rows += "\n";
    ++count;
  }
  if (count < 2 || alphas < 2) return "";  // gnuplot wants 2 x 2.
  return absl::StrCat(
      ScriptHead("alphas", 1100, std::max(300, 120 + 22 * count)),
      "$rows << END\n\"alpha\"", columns, "\n", rows,
      "END\nunset grid\nunset key\nset cbrange [0:1]\n"
      "set palette defined (0 '#ffffff', 1 '#1f5fa8')\n"
      "set xlabel 'alpha'\nset title 'swapped, test wordings'\n"
      "set yrange [] reverse\nset lmargin 60\n"
      "plot $rows matrix columnheaders rowheaders using 1:2:3 with image\n");
}

}  // namespace

std::string SettingLabel(const Json& settings) {
  std::vector<std::string> parts;
  for (const auto& [axis, value] : settings.items()) {
    parts.push_back(absl::StrCat(
        axis == "variant" ? "" : axis + " ",
        value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return parts.empty() ? "all" : absl::StrJoin(parts, ", ");
}

std::map<std::string, std::string> StudyPlots(const Json& summary) {
  std::map<std::string, std::string> scripts;
  const std::string axis = NumericAxis(summary);
  const std::string swap = axis.empty() ? Bars(summary) : Lines(summary, axis);
  if (!swap.empty()) scripts["swap"] = swap;
  const std::string alphas = HeatMap(summary);
  if (!alphas.empty()) scripts["alphas"] = alphas;
  return scripts;
}

}  // namespace alignsae
