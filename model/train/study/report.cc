#include "model/train/study/report.h"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/train/eval/share.h"
#include "model/train/study/run.h"

extern char** environ;

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

// A number inside a cell's figures, by a JSON pointer.
double At(const nlohmann::json& figures, const char* pointer) {
  return figures.at(nlohmann::json::json_pointer(pointer)).get<double>();
}

struct ShareFigure {
  const char* name;
  const char* tries;
  const char* rate;
};
constexpr ShareFigure kShares[] = {
    {"read", "/test/binding/prompts", "/test/binding/diagonal_accuracy"},
    {"swap", "/test/swap/all/tries", "/test/swap/all/whole"},
    {"unseen_read", "/unseen/binding/prompts",
     "/unseen/binding/diagonal_accuracy"},
    {"unseen_swap", "/unseen/swap/all/tries", "/unseen/swap/all/whole"}};

constexpr std::pair<const char*, const char*> kMeans[] = {
    {"alpha", "/chosen/alpha"},
    {"cosine", "/test/written/cosine"},
    {"written_share", "/test/written/written_share"},
    {"fvu", "/test/dictionary/fvu"},
    {"l0", "/test/dictionary/l0"},
    {"effective_features", "/test/dictionary/effective_features"},
    {"effective_slots", "/test/dictionary/effective_slots"}};

Json PooledShare(const std::vector<nlohmann::json>& figures,
                 const ShareFigure& share) {
  double n = 0, right = 0;
  for (const nlohmann::json& cell : figures) {
    const double tries = At(cell, share.tries);
    n += tries;
    right += std::round(tries * At(cell, share.rate));
  }
  return n == 0 ? Json() : ShareToJson(right, n);
}

Json Spread(const std::vector<nlohmann::json>& figures, const char* pointer) {
  double sum = 0;
  double low = At(figures.front(), pointer);
  double high = low;
  for (const nlohmann::json& cell : figures) {
    const double value = At(cell, pointer);
    sum += value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  return {{"mean", sum / static_cast<double>(figures.size())},
          {"min", low},
          {"max", high}};
}

// The mean swap success at each alpha.
Json PooledCurve(const std::vector<nlohmann::json>& figures) {
  Json curve = Json::array();
  const nlohmann::json& first = figures.front()["test"]["swap"]["alpha_curve"];
  for (size_t a = 0; a < first.size(); ++a) {
    double sum = 0;
    for (const nlohmann::json& cell : figures) {
      sum += cell["test"]["swap"]["alpha_curve"][a]["whole"].get<double>();
    }
    curve.push_back({{"alpha", first[a]["alpha"]},
                     {"swap", sum / static_cast<double>(figures.size())}});
  }
  return curve;
}

// One setting: what its seeds say together.
void Pool(const std::vector<nlohmann::json>& figures, Json& setting) {
  if (figures.empty()) return;
  for (const ShareFigure& share : kShares) {
    setting[share.name] = PooledShare(figures, share);
  }
  for (const auto& [name, pointer] : kMeans) {
    setting[name] = Spread(figures, pointer);
  }
  std::set<std::string> modes;
  for (const nlohmann::json& cell : figures) {
    modes.insert(cell["chosen"]["mode"].get<std::string>());
  }
  setting["mode"] = modes;
  setting["alpha_curve"] = PooledCurve(figures);
}

std::string SpreadText(const Json& setting, const char* name) {
  if (!setting.contains(name)) return "-";
  const Json& spread = setting[name];
  return absl::StrFormat("%.3g [%.3g, %.3g]", spread["mean"].get<double>(),
                         spread["min"].get<double>(),
                         spread["max"].get<double>());
}

std::string LabelOf(const Json& settings) {
  std::vector<std::string> parts;
  for (const auto& [axis, value] : settings.items()) {
    parts.push_back(absl::StrCat(
        axis == "variant" ? "" : axis + " ",
        value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return parts.empty() ? "all" : absl::StrJoin(parts, ", ");
}

bool HasNumericAxis(const Json& summary) {
  if (summary["axes"].size() != 1) return false;
  for (const Json& setting : summary["settings"]) {
    if (!setting["settings"].begin()->is_number()) return false;
  }
  return true;
}

// Whether gnuplot is there and has drawn.
bool RunGnuplot(const std::string& script) {
  std::string program = "gnuplot", argument = script;
  char* const arguments[] = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (posix_spawnp(&pid, "gnuplot", nullptr, nullptr, arguments, environ) !=
      0) {
    return false;
  }
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace

absl::StatusOr<Json> SummarizeStudy(const StudyPlan& plan,
                                    const std::string& directory) {
  Json summary = {{"plan", plan.name}, {"axes", plan.axes}, {"missing", 0}};
  summary["settings"] = Json::array();
  int missing = 0;
  for (size_t i = 0; i < plan.cells.size();) {
    const Json settings = plan.cells[i].settings;
    Json setting = {{"settings", settings},
                    {"seeds", Json::array()},
                    {"refused", Json::array()}};
    std::vector<nlohmann::json> figures;
    for (; i < plan.cells.size() && plan.cells[i].settings == settings; ++i) {
      const absl::StatusOr<nlohmann::json> cell =
          ReadCell(directory, plan.cells[i]);
      if (absl::IsNotFound(cell.status())) {
        ++missing;
        continue;
      }
      ALIGNSAE_RETURN_IF_ERROR(cell.status());
      if (cell->contains("refused")) {
        setting["refused"].push_back((*cell)["refused"].get<std::string>());
        continue;
      }
      setting["seeds"].push_back(plan.cells[i].sae.seed);
      figures.push_back((*cell)["figures"]);
    }
    Pool(figures, setting);
    summary["settings"].push_back(std::move(setting));
  }
  summary["missing"] = missing;
  return summary;
}

std::string RenderStudy(const Json& summary) {
  std::string text = absl::StrCat(
      "# Study: ", summary["plan"].get<std::string>(),
      "\n\nShares with their 95 % Wilson interval over all seeds; other "
      "figures "
      "with the lowest and highest seed. Test wordings; `unseen` are wordings "
      "that the language model never saw either.\n\n");
  if (summary["missing"] != 0) {
    absl::StrAppend(&text, summary["missing"].dump(),
                    " cells have not been measured.\n\n");
  }
  text +=
      "| setting | seeds | read | swap | mode, alpha | cosine | written | "
      "unseen read | unseen "
      "swap | FVU | L0 | features a concept |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const Json& setting : summary["settings"]) {
    std::vector<std::string> cells = {LabelOf(setting["settings"]),
                                      absl::StrCat(setting["seeds"].size())};
    if (setting.contains("swap")) {
      for (const char* share : {"read", "swap"}) {
        cells.push_back(ShareText(setting[share]));
      }
      cells.push_back(absl::StrCat(
          absl::StrJoin(setting["mode"].get<std::vector<std::string>>(), "/"),
          " ", SpreadText(setting, "alpha")));
      for (const char* spread : {"cosine", "written_share"}) {
        cells.push_back(SpreadText(setting, spread));
      }
      for (const char* share : {"unseen_read", "unseen_swap"}) {
        cells.push_back(ShareText(setting[share]));
      }
      for (const char* spread : {"fvu", "l0", "effective_features"}) {
        cells.push_back(SpreadText(setting, spread));
      }
    } else if (!setting["refused"].empty()) {
      cells.push_back("refused: " + setting["refused"][0].get<std::string>());
    }
    absl::StrAppend(&text, "| ", absl::StrJoin(cells, " | "), " |\n");
  }
  return text;
}

std::string StudyPlot(const Json& summary, const std::string& svg) {
  const bool numeric = HasNumericAxis(summary);
  std::string data;
  int row = 0;
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("swap")) continue;
    const std::string x =
        numeric ? setting["settings"].begin()->dump() : absl::StrCat(row);
    absl::StrAppendFormat(&data, "%s \"%s\"", x, LabelOf(setting["settings"]));
    for (const char* name : {"read", "swap", "unseen_swap"}) {
      absl::StrAppendFormat(&data, " %g %g %g",
                            setting[name]["rate"].get<double>(),
                            setting[name]["low"].get<double>(),
                            setting[name]["high"].get<double>());
    }
    data += "\n";
    ++row;
  }
  const char* style = numeric ? "yerrorlines" : "yerrorbars";
  return absl::StrCat(
      "set terminal svg size 900,480 font 'sans,12'\nset output '", svg,
      "'\n$cells << EOD\n", data, "EOD\nset yrange [0:1.05]\nset grid y\n",
      "set ylabel 'share'\nset key outside\n",
      numeric ? absl::StrCat("set xlabel '",
                             summary["axes"][0].get<std::string>(), "'\n")
              : "set xtics rotate by -35 noenhanced\nset offsets 0.5,0.5\n",
      "plot $cells using 1:3:4:5", numeric ? "" : ":xtic(2)", " with ", style,
      " title 'read', \\\n  '' using 1:6:7:8 with ", style,
      " title 'swap', \\\n  '' using 1:9:10:11 with ", style,
      " title 'swap, unseen wordings'\n");
}

absl::Status WriteStudyReport(const StudyPlan& plan,
                              const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Json summary,
                            SummarizeStudy(plan, directory));
  const std::string folder = absl::StrCat(directory, "/", plan.name);
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(folder));
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/study.json", summary.dump(1) + "\n"));
  std::string text = RenderStudy(summary);
  const std::string script = folder + "/swap.gp";
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(script, StudyPlot(summary, folder + "/swap.svg")));
  if (RunGnuplot(script)) text += "\n![shares by setting](swap.svg)\n";
  return WriteFileAtomically(folder + "/report.md", text);
}

}  // namespace alignsae
