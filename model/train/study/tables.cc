// RenderStudy: a summary as tables.

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/train/eval/share.h"
#include "model/train/study/report.h"
#include "model/train/study/study_plots.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

// "0.2 [0.1, 0.3]"; the mean alone where all seeds have it.
std::string SpreadText(const Json& parent, const std::string& name) {
  if (!parent.contains(name)) return "-";
  const Json& spread = parent[name];
  const double min = spread["min"].get<double>();
  const double max = spread["max"].get<double>();
  const std::string mean =
      absl::StrFormat("%.3g", spread["mean"].get<double>());
  return min == max ? mean : absl::StrFormat("%s [%.3g, %.3g]", mean, min, max);
}

std::string ShareCell(const Json& parent, const std::string& name) {
  return parent.contains(name) ? ShareText(parent[name]) : "-";
}

std::string Row(const std::vector<std::string>& cells) {
  return absl::StrCat("| ", absl::StrJoin(cells, " | "), " |\n");
}

std::string Header(const std::vector<std::string>& names) {
  return absl::StrCat(Row(names),
                      Row(std::vector<std::string>(names.size(), "---")));
}

bool Any(const Json& summary, const char* key) {
  for (const Json& setting : summary["settings"]) {
    if (setting.contains(key)) return true;
  }
  return false;
}

std::string FiguresTable(const Json& summary) {
  const bool answers = Any(summary, "answers");
  std::vector<std::string> names = {
      "setting",        "seeds",  "read",    "swap",
      "mode, alpha",    "cosine", "written", "unseen read",
      "unseen swap",    "FVU",    "L0",      "features a concept",
      "slots a concept"};
  if (answers) names.emplace_back("the model answers");
  std::string text = Header(names);
  for (const Json& setting : summary["settings"]) {
    std::vector<std::string> cells = {SettingLabel(setting["settings"]),
                                      absl::StrCat(setting["cells"].size())};
    if (setting.contains("swap")) {
      for (const char* share : {"read", "swap"}) {
        cells.push_back(ShareCell(setting, share));
      }
      cells.push_back(absl::StrCat(
          absl::StrJoin(setting["mode"].get<std::vector<std::string>>(), "/"),
          " ", SpreadText(setting, "alpha")));
      for (const char* spread : {"cosine", "written_share"}) {
        cells.push_back(SpreadText(setting, spread));
      }
      for (const char* share : {"unseen_read", "unseen_swap"}) {
        cells.push_back(ShareCell(setting, share));
      }
      for (const char* spread :
           {"fvu", "l0", "effective_features", "effective_slots"}) {
        cells.push_back(SpreadText(setting, spread));
      }
      if (answers) cells.push_back(ShareCell(setting, "answers"));
    } else if (!setting["refused"].empty()) {
      cells.push_back("refused: " + setting["refused"][0].get<std::string>());
    }
    text += Row(cells);
  }
  return text;
}

// Wordings of the grammar that the language model never saw (data/wordings.h).
std::string HeldOutTable(const Json& summary) {
  std::string text =
      Header({"setting", "families read", "families swap", "synonyms read",
              "synonyms swap", "by hand read", "by hand swap"});
  for (const Json& setting : summary["settings"]) {
    std::vector<std::string> cells = {SettingLabel(setting["settings"])};
    for (const char* split : {"families", "synonyms", "by_hand"}) {
      cells.push_back(ShareCell(setting, absl::StrCat(split, "_read")));
      cells.push_back(ShareCell(setting, absl::StrCat(split, "_swap")));
    }
    text += Row(cells);
  }
  return text;
}

// Terms that some setting has.
std::vector<std::string> TermsOf(const Json& summary) {
  const Json& settings = summary["settings"];
  std::vector<std::string> terms;
  for (const std::string term : kReportedTerms) {
    const auto has = [&term](const Json& setting) {
      return setting.contains("terms") && setting["terms"].contains(term);
    };
    if (std::any_of(settings.begin(), settings.end(), has)) {
      terms.push_back(term);
    }
  }
  return terms;
}

std::string TermsTable(const Json& summary) {
  const std::vector<std::string> terms = TermsOf(summary);
  std::vector<std::string> names = {"setting"};
  names.insert(names.end(), terms.begin(), terms.end());
  std::string text = Header(names);
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("terms")) continue;
    std::vector<std::string> cells = {SettingLabel(setting["settings"])};
    for (const std::string& term : terms) {
      cells.push_back(SpreadText(setting["terms"], term));
    }
    text += Row(cells);
  }
  return text;
}

std::string GroupsTable(const Json& summary) {
  std::string text =
      Header({"setting", "prompts", "read", "swap", "both read"});
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("groups")) continue;
    for (const auto& [group, shares] : setting["groups"].items()) {
      text += Row({SettingLabel(setting["settings"]), group,
                   ShareCell(shares, "read"), ShareCell(shares, "swap"),
                   ShareCell(shares, "both")});
    }
  }
  return text;
}

// Each value of each axis, over all settings that have it: what one term does,
// whatever the others are.
std::string AxesTable(const Json& summary) {
  std::string text =
      Header({"axis", "settings", "read", "swap", "unseen swap"});
  for (const Json& axis : summary["axes"]) {
    const std::string name = axis;
    std::vector<std::string> order;
    std::map<std::string, std::vector<const Json*>> by_value;
    for (const Json& setting : summary["settings"]) {
      if (!setting.contains("swap")) continue;
      const std::string label =
          SettingLabel({{name, setting["settings"][name]}});
      if (by_value[label].empty()) order.push_back(label);
      by_value[label].push_back(&setting);
    }
    for (const std::string& label : order) {
      std::vector<std::string> cells = {label,
                                        absl::StrCat(by_value[label].size())};
      for (const char* share : {"read", "swap", "unseen_swap"}) {
        double n = 0;
        double right = 0;
        for (const Json* setting : by_value[label]) {
          if (!setting->contains(share)) continue;
          const double tries = (*setting)[share]["n"].get<double>();
          n += tries;
          right += std::round(tries * (*setting)[share]["rate"].get<double>());
        }
        cells.push_back(n > 0 ? ShareText(ShareToJson(right, n)) : "-");
      }
      text += Row(cells);
    }
  }
  return text;
}

// What went wrong where, and what to change.
std::string SignatureLines(const Json& summary) {
  std::string text;
  for (const Json& setting : summary["settings"]) {
    if (!setting.contains("signatures")) continue;
    for (const Json& seen : setting["signatures"]) {
      absl::StrAppendFormat(
          &text, "- %s, %d of %d cells: **%s**: %s. Change: %s.\n",
          SettingLabel(setting["settings"]), seen["cells"].get<int>(),
          static_cast<int>(setting["cells"].size()),
          seen["name"].get<std::string>(), seen["saw"].get<std::string>(),
          seen["change"].get<std::string>());
    }
  }
  return text.empty() ? "No cell shows one.\n" : text;
}

}  // namespace

std::string RenderStudy(const Json& summary) {
  std::string text =
      absl::StrCat("# Study: ", summary["plan"].get<std::string>(), "\n\n");
  if (const std::string about = summary["about"]; !about.empty()) {
    absl::StrAppend(&text, about, "\n\n");
  }
  absl::StrAppend(
      &text, "    ", summary["command"].get<std::string>(),
      "\n\nShares with their 95 % Wilson interval over all seeds; other "
      "figures with the lowest and highest seed. Test wordings; `unseen` are "
      "wordings that the language model never saw either. Features a concept: "
      "exp(entropy) of the mean activation over all features, and over the "
      "concept slots alone.\n\n");
  if (summary["missing"] != 0) {
    absl::StrAppend(&text, summary["missing"].dump(),
                    " cells have not been measured.\n\n");
  }
  if (summary["axes"].size() > 1) {
    absl::StrAppend(&text, AxesTable(summary), "\n");
  }
  text += FiguresTable(summary);
  if (Any(summary, "families_read")) {
    absl::StrAppend(&text, "\n## Held-out wordings\n\n", HeldOutTable(summary));
  }
  if (Any(summary, "groups")) {
    absl::StrAppend(&text, "\n## Groups of prompts\n\n", GroupsTable(summary));
  }
  if (Any(summary, "terms")) {
    absl::StrAppend(&text, "\n## Terms of the loss in the last epoch\n\n",
                    TermsTable(summary));
  }
  absl::StrAppend(&text, "\n## Failure signatures\n\n",
                  SignatureLines(summary));
  return text;
}

}  // namespace alignsae
