#include "model/train/study/prompt_figures.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/eval/prompt_eval.h"

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

nlohmann::json MeanWritten(const nlohmann::ordered_json& concepts) {
  double cosine = 0;
  double written = 0;
  for (const auto& [name, entry] : concepts.items()) {
    cosine += entry.at("cosine").get<double>();
    written += entry.at("written_share").get<double>();
  }
  const auto n = static_cast<double>(concepts.size());
  return {{"cosine", cosine / n}, {"written_share", written / n}};
}

// The steps by themselves: "step 2" of a question of two.
absl::StatusOr<nlohmann::json> StepGroups(EvalSubject& subject,
                                          const PromptSet& set,
                                          const PromptEvalOptions& options) {
  const std::vector<int> steps = StepsOf(set);
  const int last = *std::max_element(steps.begin(), steps.end());
  nlohmann::json groups = nlohmann::json::array();
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
  return groups;
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
      {"chosen", {{"mode", "SWAP"}, {"alpha", alphas.front()}}}};
  nlohmann::json& test = figures["test"];
  for (double alpha : alphas) {
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::ordered_json measured,
                              EvaluatePrompts(subject, 0, set,
                                              {.alpha = alpha,
                                               .max_tokens = options.max_tokens,
                                               .rows = options.rows}));
    if (!test.contains("binding")) {
      test["written"] = MeanWritten(measured.at("concepts"));
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
      }
    }
    if (!measured.contains("swap")) break;  // No targets: no alpha matters.
    test["swap"]["alpha_curve"].push_back(
        {{"alpha", alpha}, {"whole", measured["swap"]["all"]["rate"]}});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(figures["groups"],
                            StepGroups(subject, set,
                                       {.alpha = alphas.front(),
                                        .max_tokens = options.max_tokens,
                                        .rows = options.rows}));
  return figures;
}

}  // namespace alignsae
