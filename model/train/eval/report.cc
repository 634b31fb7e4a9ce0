#include "model/train/eval/report.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

std::optional<double> NumberUnder(const Json& json, const char* path) {
  const Json::json_pointer at(path);
  if (!json.contains(at) || !json.at(at).is_number()) return std::nullopt;
  return json.at(at).get<double>();
}

void KeepLowest(std::optional<double> value, std::optional<double>& lowest) {
  if (value) lowest = std::min(*value, lowest.value_or(*value));
}

Json SuccessToJson(const SuccessCounts& counts) {
  return {{"tries", counts.tries},
          {"whole", Rounded(counts.Rate(counts.whole))},
          {"first", Rounded(counts.Rate(counts.first))},
          {"substring", Rounded(counts.Rate(counts.substring))}};
}

Json BindingCountsToJson(const BindingCounts& counts) {
  return {{"prompts", counts.prompts},
          {"diagonal_accuracy", Rounded(counts.Rate(counts.top1))},
          {"top2", Rounded(counts.Rate(counts.top2))},
          {"top3", Rounded(counts.Rate(counts.top3))},
          {"margin", Rounded(counts.margin())},
          {"bound", Rounded(counts.Rate(counts.bound))},
          {"own_bound", Rounded(counts.Rate(counts.own_bound))}};
}

Json PerRelation(const std::vector<double>& values,
                 const std::vector<std::string>& relations) {
  Json object = Json::object();
  for (size_t r = 0; r < relations.size(); ++r) {
    object[relations[r]] = Rounded(values[r]);
  }
  return object;
}

// "by_target", each with its chance and success beyond it, and the same of all
// tries.
void AddChance(const SwapTable& table, size_t chosen,
               const std::vector<std::string>& relations, Json& json) {
  const auto add = [](const SuccessCounts& counts, double chance, Json& into) {
    into["chance"] = Rounded(chance);
    const double above = AboveChance(counts.Rate(counts.whole), chance);
    into["above_chance"] = std::isfinite(above) ? Json(Rounded(above)) : Json();
  };
  double expected = 0;
  json["by_target"] = Json::object();
  for (size_t j = 0; j < relations.size(); ++j) {
    const HalvesCounts target = table.Target(chosen, static_cast<int>(j));
    Json& figures = json["by_target"][relations[j]];
    figures = HalvesToJson(target);
    const double chance = j < table.chance.size() ? table.chance[j] : 0;
    add(target.all(), chance, figures);
    expected += chance * static_cast<double>(target.all().tries);
  }
  const SuccessCounts all = table.Total(chosen).all();
  const double tries = static_cast<double>(all.tries);
  add(all, tries > 0 ? expected / tries : 0, json);
}

}  // namespace

double Rounded(double value) { return std::round(value * 1e4) / 1e4; }

Json HalvesToJson(const HalvesCounts& counts) {
  return {{"all", SuccessToJson(counts.all())},
          {"asked", SuccessToJson(counts.asked)},
          {"never_asked", SuccessToJson(counts.never_asked)}};
}

Json AnswersToJson(const std::vector<HalvesCounts>& by_relation,
                   const std::vector<std::string>& relations) {
  HalvesCounts sum;
  for (const HalvesCounts& counts : by_relation) sum.Add(counts);
  Json json = HalvesToJson(sum);
  for (size_t r = 0; r < relations.size(); ++r) {
    json["by_relation"][relations[r]] = SuccessToJson(by_relation[r].all());
  }
  return json;
}

Json SwapsToJson(const SwapTable& table, size_t chosen, InterventionMode mode,
                 const std::vector<std::string>& relations) {
  Json json = HalvesToJson(table.Total(chosen));
  AddChance(table, chosen, relations, json);
  json["mode"] = InterventionModeName(mode);
  json["alpha"] = table.alphas[chosen];
  json["pairs"] = Json::object();
  for (size_t j = 0; j < relations.size(); ++j) {
    for (size_t i = 0; i < relations.size(); ++i) {
      if (i == j) continue;
      json["pairs"][absl::StrCat(relations[i], " -> ", relations[j])] =
          SuccessToJson(table.pairs[chosen][i][j].all());
    }
  }
  json["alpha_curve"] = Json::array();
  for (size_t a = 0; a < table.alphas.size(); ++a) {
    const HalvesCounts total = table.Total(a);
    const SuccessCounts all = total.all();
    Json point = {{"alpha", table.alphas[a]},
                  {"whole", Rounded(all.Rate(all.whole))},
                  {"first", Rounded(all.Rate(all.first))},
                  {"substring", Rounded(all.Rate(all.substring))},
                  {"asked", Rounded(total.asked.Rate(total.asked.whole))},
                  {"never_asked",
                   Rounded(total.never_asked.Rate(total.never_asked.whole))}};
    for (size_t j = 0; j < relations.size(); ++j) {
      const SuccessCounts counts = table.Target(a, static_cast<int>(j)).all();
      point["by_target"][relations[j]] = Rounded(counts.Rate(counts.whole));
    }
    json["alpha_curve"].push_back(std::move(point));
  }
  return json;
}

Json BindingToJson(const BindingTable& table,
                   const std::vector<std::string>& relations) {
  Json json = BindingCountsToJson(table.all());
  json["asked"] = BindingCountsToJson(table.asked);
  json["never_asked"] = BindingCountsToJson(table.never_asked);
  for (size_t r = 0; r < relations.size(); ++r) {
    json["by_relation"][relations[r]] =
        BindingCountsToJson(table.by_relation[r]);
    for (size_t top = 0; top < relations.size(); ++top) {
      json["confusion"][relations[r]][relations[top]] = table.confusion[r][top];
    }
  }
  return json;
}

Json DictionaryToJson(const DictionaryStats& stats,
                      const std::vector<std::string>& relations) {
  return {{"fvu", Rounded(stats.fvu)},
          {"l0", Rounded(stats.l0)},
          {"free_features", stats.free_features},
          {"dead_features", stats.dead_features},
          {"effective_features", Rounded(stats.mean_effective_features())},
          {"effective_slots", Rounded(stats.mean_effective_slots())},
          {"effective_features_by_relation",
           PerRelation(stats.effective_features, relations)},
          {"effective_slots_by_relation",
           PerRelation(stats.effective_slots, relations)}};
}

Json WrittenToJson(const std::vector<WriteCertificate>& written,
                   const std::vector<std::string>& relations) {
  double cosine = 0;
  double share = 0;
  Json json;
  for (size_t r = 0; r < relations.size(); ++r) {
    cosine += written[r].cosine;
    share += written[r].written_share;
    json["by_relation"][relations[r]] = {
        {"cosine", Rounded(written[r].cosine)},
        {"written_share", Rounded(written[r].written_share)}};
  }
  const auto n = static_cast<double>(relations.size());
  json["cosine"] = Rounded(cosine / n);
  json["written_share"] = Rounded(share / n);
  return json;
}

RecipeFigures RecipeFiguresOf(const Json& split) {
  RecipeFigures figures;
  figures.read = NumberUnder(split, "/binding/diagonal_accuracy");
  figures.swap = NumberUnder(split, "/swap/all/whole");
  figures.alpha = NumberUnder(split, "/swap/alpha");
  const std::optional<double> dead =
      NumberUnder(split, "/dictionary/dead_features");
  const std::optional<double> free =
      NumberUnder(split, "/dictionary/free_features");
  if (dead && free && *free > 0) figures.dead_share = *dead / *free;
  const Json::json_pointer kWritten("/written/by_relation");
  if (split.contains(kWritten)) {
    for (const Json& of : split.at(kWritten)) {
      KeepLowest(NumberUnder(of, "/cosine"), figures.cosine);
      KeepLowest(NumberUnder(of, "/written_share"), figures.written_share);
    }
  }
  const Json::json_pointer kCurve("/swap/alpha_curve");
  if (split.contains(kCurve)) {
    for (const Json& point : split.at(kCurve)) {
      const std::optional<double> alpha = NumberUnder(point, "/alpha");
      const std::optional<double> swap = NumberUnder(point, "/whole");
      if (alpha && swap) figures.curve.push_back({*alpha, *swap});
    }
  }
  std::sort(figures.curve.begin(), figures.curve.end(),
            [](const auto& a, const auto& b) { return a.alpha < b.alpha; });
  return figures;
}

}  // namespace alignsae
