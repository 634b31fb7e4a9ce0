#include "server/metrics/stored_figures.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

using Json = nlohmann::json;
using Path = std::vector<const char*>;

struct Figure {
  const char* name;
  Path people;   // In an evaluation of the synthetic people.
  Path prompts;  // In one of labelled prompts.
};

const std::vector<Figure>& Figures() {
  static const auto* const kFigures = new std::vector<Figure>{
      {"read_accuracy",
       {"test", "binding", "diagonal_accuracy"},
       {"prompts", "read", "rate"}},
      {"bound", {"test", "binding", "bound"}, {}},
      {"margin", {"test", "binding", "margin"}, {}},
      {"silent", {}, {"prompts", "silent", "rate"}},
      {"swap_success",
       {"test", "swap", "all", "whole"},
       {"prompts", "swap", "all", "rate"}},
      {"unseen_read_accuracy", {"unseen", "binding", "diagonal_accuracy"}, {}},
      {"unseen_swap_success", {"unseen", "swap", "all", "whole"}, {}},
  };
  return *kFigures;
}

// Null where there is nothing.
const Json* Find(const Json* from, const Path& path) {
  for (const char* key : path) {
    if (from == nullptr || !from->is_object()) return nullptr;
    const auto it = from->find(key);
    from = it == from->end() ? nullptr : &*it;
  }
  return from;
}

std::optional<double> NumberAt(const Json* from, const Path& path, double low,
                               double high) {
  const Json* const found = Find(from, path);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  if (!(value >= low && value <= high)) return std::nullopt;
  return value;
}

// Of the targets under `path`, the lowest rate at `rate`.
std::optional<double> Worst(const Json& root, const Path& path,
                            const Path& rate) {
  const Json* const targets = Find(&root, path);
  if (targets == nullptr || !targets->is_object()) return std::nullopt;
  std::optional<double> worst;
  for (const auto& entry : targets->items()) {
    const auto value = NumberAt(&entry.value(), rate, 0, 1);
    if (value.has_value()) worst = std::min(*value, worst.value_or(1));
  }
  return worst;
}

constexpr double kMostPrompts = 1e9;

// Adds up, over the asked concepts, on which prompts which one is on top.
class Shares {
 public:
  // `bound`: of an asked concept's prompts, the part where one is bound.
  void AddConfusion(const Json* confusion, const Json* concepts,
                    const Path& bound) {
    if (confusion == nullptr || !confusion->is_object()) return;
    for (const auto& asked : confusion->items()) {
      const double part =
          NumberAt(Find(concepts, {asked.key().c_str()}), bound, 0, 1)
              .value_or(1);
      if (!asked.value().is_object()) continue;
      for (const auto& top : asked.value().items()) {
        const auto count = NumberAt(&top.value(), {}, 0, kMostPrompts);
        if (!count.has_value()) continue;
        tops_[top.key()] += *count * part;
        none_ += *count * (1 - part);
        all_ += *count;
      }
    }
  }
  void AddSilent(const Json* silent) {
    const auto n = NumberAt(silent, {"n"}, 0, kMostPrompts);
    const auto rate = NumberAt(silent, {"rate"}, 0, 1);
    if (!n.has_value() || !rate.has_value()) return;
    none_ += *n * *rate;
    all_ += *n * *rate;
  }
  void WriteTo(StoredFigures& figures) const {
    if (!(all_ > none_)) return;
    for (const auto& [name, count] : tops_) {
      figures.top_shares[name] = count / all_;
    }
    figures.none_share = none_ / all_;
  }

 private:
  std::map<std::string, double> tops_;
  double none_ = 0;
  double all_ = 0;
};

}  // namespace

StoredFigures ReadStoredFigures(const std::string& evaluation_json) {
  StoredFigures stored;
  const Json root = Json::parse(evaluation_json, nullptr,
                                /*allow_exceptions=*/false);
  const auto add = [&stored](const char* name, std::optional<double> value) {
    if (value.has_value()) stored.figures.emplace(name, *value);
  };
  for (const Figure& figure : Figures()) {
    const double low = figure.name == std::string("margin") ? -1 : 0;
    for (const Path* path : {&figure.people, &figure.prompts}) {
      if (!path->empty()) add(figure.name, NumberAt(&root, *path, low, 1));
    }
  }
  add("swap_success_worst",
      Worst(root, {"test", "swap", "by_target"}, {"all", "whole"}));
  add("swap_success_worst",
      Worst(root, {"prompts", "swap", "targets"}, {"rate"}));
  Shares shares;
  shares.AddConfusion(Find(&root, {"test", "binding", "confusion"}),
                      Find(&root, {"test", "binding", "by_relation"}),
                      {"bound"});
  shares.AddConfusion(Find(&root, {"prompts", "confusion"}),
                      Find(&root, {"prompts", "concepts"}), {"bound", "rate"});
  shares.AddSilent(Find(&root, {"prompts", "silent"}));
  shares.WriteTo(stored);
  return stored;
}

}  // namespace alignsae
