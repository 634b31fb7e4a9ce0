#include "model/train/study/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/train/common/signatures.h"
#include "model/train/eval/plots.h"
#include "model/train/eval/report.h"
#include "model/train/eval/share.h"
#include "model/train/study/study_plots.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;
using Pointer = nlohmann::json::json_pointer;

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
    {"unseen_swap", "/unseen/swap/all/tries", "/unseen/swap/all/whole"},
    {"families_read", "/families/binding/prompts",
     "/families/binding/diagonal_accuracy"},
    {"families_swap", "/families/swap/all/tries", "/families/swap/all/whole"},
    {"synonyms_read", "/synonyms/binding/prompts",
     "/synonyms/binding/diagonal_accuracy"},
    {"synonyms_swap", "/synonyms/swap/all/tries", "/synonyms/swap/all/whole"},
    {"by_hand_read", "/by_hand/binding/prompts",
     "/by_hand/binding/diagonal_accuracy"},
    {"by_hand_swap", "/by_hand/swap/all/tries", "/by_hand/swap/all/whole"},
    {"answers", "/answers/test/all/tries", "/answers/test/all/whole"}};

constexpr std::pair<const char*, const char*> kMeans[] = {
    {"alpha", "/chosen/alpha"},
    {"cosine", "/test/written/cosine"},
    {"written_share", "/test/written/written_share"},
    {"fvu", "/test/dictionary/fvu"},
    {"l0", "/test/dictionary/l0"},
    {"effective_features", "/test/dictionary/effective_features"},
    {"effective_slots", "/test/dictionary/effective_slots"}};

// The numbers at a pointer, of the cells that have one.
std::vector<double> NumbersAt(const std::vector<nlohmann::json>& figures,
                              const std::string& pointer) {
  std::vector<double> numbers;
  for (const nlohmann::json& cell : figures) {
    const Pointer at(pointer);
    if (cell.contains(at) && cell.at(at).is_number()) {
      numbers.push_back(cell.at(at).get<double>());
    }
  }
  return numbers;
}

// null: nothing was tried.
Json PooledShare(const std::vector<nlohmann::json>& figures,
                 const ShareFigure& share) {
  const std::vector<double> tries = NumbersAt(figures, share.tries);
  const std::vector<double> rates = NumbersAt(figures, share.rate);
  double n = 0;
  double right = 0;
  for (size_t i = 0; i < std::min(tries.size(), rates.size()); ++i) {
    n += tries[i];
    right += std::round(tries[i] * rates[i]);
  }
  return n == 0 ? Json() : ShareToJson(right, n);
}

void AddShares(const std::vector<nlohmann::json>& figures, Json& out) {
  for (const ShareFigure& share : kShares) {
    const Json pooled = PooledShare(figures, share);
    if (!pooled.is_null()) out[share.name] = pooled;
  }
}

void AddSpread(const std::vector<nlohmann::json>& figures,
               const std::string& pointer, Json& out) {
  const std::vector<double> numbers = NumbersAt(figures, pointer);
  if (numbers.empty()) return;
  double sum = 0;
  for (double number : numbers) sum += number;
  const auto [low, high] = std::minmax_element(numbers.begin(), numbers.end());
  out = {{"mean", sum / static_cast<double>(numbers.size())},
         {"min", *low},
         {"max", *high}};
}

// The mean swap success at each alpha.
Json PooledCurve(const std::vector<nlohmann::json>& figures) {
  std::map<double, std::vector<double>> by_alpha;
  for (const nlohmann::json& cell : figures) {
    for (const nlohmann::json& point :
         cell.at(Pointer("/test/swap/alpha_curve"))) {
      by_alpha[point.at("alpha").get<double>()].push_back(
          point.at("whole").get<double>());
    }
  }
  Json curve = Json::array();
  for (const auto& [alpha, rates] : by_alpha) {
    double sum = 0;
    for (double rate : rates) sum += rate;
    curve.push_back(
        {{"alpha", alpha}, {"swap", sum / static_cast<double>(rates.size())}});
  }
  return curve;
}

// The terms of the loss in the last epoch.
Json PooledTerms(const std::vector<nlohmann::json>& figures) {
  Json terms = Json::object();
  for (const char* term : kReportedTerms) {
    Json spread;
    AddSpread(figures, absl::StrCat("/training/", term), spread);
    if (!spread.is_null()) terms[term] = std::move(spread);
  }
  return terms;
}

// Groups of prompts (robustness.h), each over all seeds.
Json PooledGroups(const std::vector<nlohmann::json>& figures) {
  Json groups = Json::object();
  std::map<std::pair<std::string, std::string>, std::pair<double, double>> sums;
  for (const nlohmann::json& cell : figures) {
    for (const nlohmann::json& group :
         cell.value("groups", nlohmann::json::array())) {
      const std::string name = group.at("group").get<std::string>();
      if (!groups.contains(name)) groups[name] = Json::object();
      for (const char* key : {"read", "swap", "both"}) {
        if (!group.contains(key)) continue;
        auto& [right, n] = sums[{name, key}];
        const double tries = group[key].at("n").get<double>();
        n += tries;
        right += std::round(tries * group[key].at("rate").get<double>());
      }
    }
  }
  for (const auto& [key, sum] : sums) {
    groups[key.first][key.second] = ShareToJson(sum.first, sum.second);
  }
  return groups;
}

// Failure signatures of the test figures, in the order of signatures.h: how
// many cells show each; what was seen is the first such cell's.
Json PooledSignatures(const std::vector<nlohmann::json>& figures) {
  Json pooled = Json::array();
  for (const nlohmann::json& cell : figures) {
    for (const Signature& seen :
         SignaturesOf(RecipeFiguresOf(cell.at("test")))) {
      const auto known = std::find_if(
          pooled.begin(), pooled.end(),
          [&](const Json& entry) { return entry.at("name") == seen.name; });
      if (known == pooled.end()) {
        pooled.push_back({{"name", seen.name},
                          {"cells", 1},
                          {"saw", seen.saw},
                          {"change", seen.change}});
      } else {
        (*known)["cells"] = (*known)["cells"].get<int>() + 1;
      }
    }
  }
  return pooled;
}

// One setting: what its seeds say together.
void Pool(const std::vector<nlohmann::json>& figures, Json& setting) {
  if (figures.empty()) return;
  AddShares(figures, setting);
  for (const auto& [name, pointer] : kMeans) {
    Json spread;
    AddSpread(figures, pointer, spread);
    if (!spread.is_null()) setting[name] = std::move(spread);
  }
  std::set<std::string> modes;
  for (const nlohmann::json& cell : figures) {
    modes.insert(cell.at(Pointer("/chosen/mode")).get<std::string>());
  }
  setting["mode"] = modes;
  setting["alpha_curve"] = PooledCurve(figures);
  setting["signatures"] = PooledSignatures(figures);
  if (Json terms = PooledTerms(figures); !terms.empty()) {
    setting["terms"] = std::move(terms);
  }
  if (Json groups = PooledGroups(figures); !groups.empty()) {
    setting["groups"] = std::move(groups);
  }
}

// Runs gnuplot on each script. What the report says at its end.
absl::StatusOr<std::string> DrawStudy(
    const std::map<std::string, std::string>& scripts,
    const std::string& folder) {
  std::string text;
  for (const auto& [name, script] : scripts) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(folder, "/", name, ".gp"), script));
    const absl::Status drawn = RunGnuplot(folder, name + ".gp");
    if (absl::IsNotFound(drawn)) {
      return std::string(
          "\nNo plots are drawn: gnuplot is not installed (Debian: "
          "gnuplot-nox). `gnuplot swap.gp` draws them.\n");
    }
    ALIGNSAE_RETURN_IF_ERROR(drawn);
    absl::StrAppend(&text, "\n![", name, " by setting](", name, ".svg)\n");
  }
  return text;
}

absl::StatusOr<std::string> WriteReportOf(const StudyIndex& index,
                                          const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Json summary,
                            SummarizeStudy(index, directory));
  const std::string folder = absl::StrCat(directory, "/", index.plan);
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(folder + "/study.json", summary.dump(1) + "\n"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string plots,
                            DrawStudy(StudyPlots(summary), folder));
  const std::string path = folder + "/report.md";
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(path, RenderStudy(summary) + plots));
  return path;
}

}  // namespace

absl::StatusOr<Json> SummarizeStudy(const StudyIndex& index,
                                    const std::string& directory) {
  Json summary = {{"plan", index.plan},
                  {"about", index.about},
                  {"command", index.command},
                  {"axes", index.axes},
                  {"missing", 0},
                  {"settings", Json::array()}};
  int missing = 0;
  for (size_t i = 0; i < index.cells.size();) {
    const Json settings = index.cells[i].settings;
    Json setting = {{"settings", settings},
                    {"refused", Json::array()},
                    {"cells", Json::array()}};
    std::vector<nlohmann::json> figures;
    for (; i < index.cells.size() && index.cells[i].settings == settings; ++i) {
      const IndexedCell& entry = index.cells[i];
      const absl::StatusOr<nlohmann::json> cell = ReadCell(directory, entry.id);
      if (absl::IsNotFound(cell.status())) {
        ++missing;
        continue;
      }
      ALIGNSAE_RETURN_IF_ERROR(cell.status());
      if (cell->contains("refused")) {
        setting["refused"].push_back((*cell)["refused"].get<std::string>());
        continue;
      }
      Json row = {
          {"seed", entry.seed},
          {"id", entry.id},
          {"command", absl::StrCat(index.command, " --cell ", entry.id)}};
      AddShares({(*cell)["figures"]}, row);
      setting["cells"].push_back(std::move(row));
      figures.push_back((*cell)["figures"]);
    }
    Pool(figures, setting);
    summary["settings"].push_back(std::move(setting));
  }
  summary["missing"] = missing;
  return summary;
}

absl::StatusOr<std::vector<std::string>> WriteStudyReports(
    const std::string& directory, const std::string& plan) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<StudyIndex> indexes,
                            ReadStudyIndexes(directory));
  std::vector<std::string> paths;
  for (const StudyIndex& index : indexes) {
    if (!plan.empty() && index.plan != plan) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(std::string path,
                              WriteReportOf(index, directory));
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace alignsae
