#include "model/train/study/prompt_figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/eval/prompt_eval.h"
#include "model/train/eval/share.h"

namespace alignsae {
namespace {

// The test prompts for which keep(index) holds, and all the others.
template <typename Keep>
PromptSet WithTestPrompts(const PromptSet& set, Keep keep) {
  PromptSet chosen{.file = set.file, .concepts = set.concepts, .prompts = {}};
  for (size_t i = 0; i < set.prompts.size(); ++i) {
    if (set.prompts[i].split == Split::kTest && !keep(i)) continue;
    chosen.prompts.push_back(set.prompts[i]);
  }
  return chosen;
}

// {"tries", "whole"} of a share, as the figures on people have it.
nlohmann::json TriesOf(const nlohmann::ordered_json& share) {
  return {{"tries", share.at("n")}, {"whole", share.at("rate")}};
}

// Means over the concepts and both figures of each, as WrittenToJson has them.
nlohmann::json Written(const nlohmann::ordered_json& concepts) {
  nlohmann::json json;
  double cosine = 0;
  double written = 0;
  for (const auto& [name, entry] : concepts.items()) {
    cosine += entry.at("cosine").get<double>();
    written += entry.at("written_share").get<double>();
    json["by_relation"][name] = {{"cosine", entry.at("cosine")},
                                 {"written_share", entry.at("written_share")}};
  }
  const auto n = static_cast<double>(concepts.size());
  json["cosine"] = cosine / n;
  json["written_share"] = written / n;
  return json;
}

// The facets by themselves: how their concepts are read and swapped to.
void AddFacetGroups(const PromptSet& set, const nlohmann::ordered_json& figures,
                    nlohmann::json& groups) {
  const std::vector<std::vector<int>> facets = FacetsOf(set.concepts);
  if (facets.size() < 2) return;
  for (const std::vector<int>& facet : facets) {
    const std::string& first = set.concepts[facet.front()];
    nlohmann::json group = {
        {"group", "facet " + first.substr(0, first.find('/'))}};
    const auto add = [&](const char* key, const std::string& pointer,
                         const std::string& behind) {
      double n = 0;
      double right = 0;
      for (int c : facet) {
        const nlohmann::ordered_json::json_pointer at =
            nlohmann::ordered_json::json_pointer(pointer) / set.concepts[c];
        if (!figures.contains(at)) continue;
        nlohmann::ordered_json share = figures.at(at);
        if (!behind.empty()) {
          if (!share.contains(behind)) continue;
          share = share.at(behind);
        }
        const double tries = share.at("n").get<double>();
        n += tries;
        right += std::round(tries * share.at("rate").get<double>());
      }
      if (n > 0) group[key] = ShareToJson(right, n);
    };
    add("read", "/concepts", "read");
    add("swap", "/swap/targets", "");
    groups.push_back(std::move(group));
  }
}

// The steps by themselves: "step 2" of a question of two.
absl::Status AddStepGroups(EvalSubject& subject, const PromptSet& set,
                           const PromptEvalOptions& options,
                           nlohmann::json& groups) {
  const std::vector<int> steps = StepsOf(set);
  const int last = *std::max_element(steps.begin(), steps.end());
  for (int step = 1; last > 1 && step <= last; ++step) {
    const PromptSet own =
        WithTestPrompts(set, [&](size_t i) { return steps[i] == step; });
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::ordered_json figures,
                              EvaluatePrompts(subject, 0, own, options));
    nlohmann::json group = {{"group", absl::StrCat("step ", step)},
                            {"prompts", figures.at("prompts")}};
    if (figures.contains("read")) group["read"] = figures["read"];
    if (figures.contains("swap")) group["swap"] = figures["swap"]["all"];
    groups.push_back(std::move(group));
  }
  return absl::OkStatus();
}

}  // namespace

PromptSet WithFewTestGroups(const PromptSet& set, int groups) {
  std::map<std::string, size_t> order;  // Of the test groups, by first line.
  for (const LabelledPrompt& prompt : set.prompts) {
    if (prompt.split != Split::kTest) continue;
    order.emplace(prompt.group, order.size());
  }
  const size_t all = order.size();
  const auto wanted = static_cast<size_t>(groups);
  if (groups == 0 || wanted >= all) return set;
  return WithTestPrompts(set, [&](size_t i) {
    const size_t place = order.at(set.prompts[i].group);
    return place * wanted / all != (place + 1) * wanted / all;
  });
}

std::vector<int> StepsOf(const PromptSet& set) {
  std::map<std::string, std::vector<size_t>> groups;
  for (size_t i = 0; i < set.prompts.size(); ++i) {
    if (!set.prompts[i].group.empty()) {
      groups[set.prompts[i].group].push_back(i);
    }
  }
  std::vector<int> steps(set.prompts.size(), 1);
  for (const auto& [name, members] : groups) {
    for (size_t i : members) {
      for (size_t j : members) {
        const std::string& begin = set.prompts[j].text;
        const std::string& whole = set.prompts[i].text;
        steps[i] += begin.size() < whole.size() && !begin.empty() &&
                    absl::StartsWith(whole, begin);
      }
    }
  }
  return steps;
}

absl::StatusOr<nlohmann::json> PromptFigures(EvalSubject& subject,
                                             const PromptSet& set,
                                             const EvalOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> alphas,
                            ParseAlphas(options.alphas));
  nlohmann::json figures = {
      {"chosen", {{"mode", "SWAP"}, {"alpha", alphas.front()}}},
      {"groups", nlohmann::json::array()}};
  nlohmann::json& test = figures["test"];
  for (double alpha : alphas) {
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::ordered_json measured,
                              EvaluatePrompts(subject, 0, set,
                                              {.alpha = alpha,
                                               .max_tokens = options.max_tokens,
                                               .rows = options.rows}));
    if (!test.contains("binding")) {
      test["written"] = Written(measured.at("concepts"));
      test["swap"]["alpha_curve"] = nlohmann::json::array();
      test["binding"] = nlohmann::json::object();
      if (measured.contains("read")) {
        test["binding"] = {{"prompts", measured["read"]["n"]},
                           {"diagonal_accuracy", measured["read"]["rate"]}};
      }
      if (measured.contains("answers")) {
        figures["answers"]["test"]["all"] = TriesOf(measured["answers"]);
      }
      if (measured.contains("swap")) {
        test["swap"]["all"] = TriesOf(measured["swap"]["all"]);
        test["swap"]["alpha"] = alpha;
      }
    }
    if (alpha == alphas.front()) {
      AddFacetGroups(set, measured, figures["groups"]);
    }
    if (!measured.contains("swap")) break;  // No targets: no alpha matters.
    test["swap"]["alpha_curve"].push_back(
        {{"alpha", alpha}, {"whole", measured["swap"]["all"]["rate"]}});
  }
  ALIGNSAE_RETURN_IF_ERROR(AddStepGroups(subject, set,
                                         {.alpha = alphas.front(),
                                          .max_tokens = options.max_tokens,
                                          .rows = options.rows},
                                         figures["groups"]));
  return figures;
}

}  // namespace alignsae
