// RenderEvaluation: the tables that people read.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/train/data/wordings.h"
#include "model/train/eval/report.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

// A part of an evaluation may lack what a whole one has: a missing number shows
// as "-", and nothing throws.
const Json& At(const Json& json, const std::string& key) {
  static const Json kNothing;
  const auto it = json.is_object() ? json.find(key) : json.end();
  return json.is_object() && it != json.end() ? *it : kNothing;
}

std::string Number(const Json& value, int decimals = 3) {
  return value.is_number()
             ? absl::StrFormat("%.*f", decimals, value.get<double>())
             : "-";
}

std::string Text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : "";
}

class Table {
 public:
  explicit Table(std::vector<std::string> header) { Row(std::move(header)); }

  void Row(std::vector<std::string> cells) {
    rows_.push_back(std::move(cells));
  }

  // First column to the left, the others to the right.
  std::string Render() const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (size_t c = 0; c < row.size(); ++c) {
        widths[c] = std::max(widths[c], row[c].size());
      }
    }
    std::string text;
    for (const auto& row : rows_) {
      for (size_t c = 0; c < row.size(); ++c) {
        const std::string pad(widths[c] - row[c].size(), ' ');
        absl::StrAppend(&text, c == 0 ? "  " : "  ", c == 0 ? row[c] : pad,
                        c == 0 ? pad : row[c]);
      }
      text.erase(text.find_last_not_of(' ') + 1);
      text += '\n';
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::vector<std::string> SuccessRow(std::string title, const Json& halves) {
  const Json& all = At(halves, "all");
  return {std::move(title),
          Number(At(all, "whole")),
          Number(At(At(halves, "asked"), "whole")),
          Number(At(At(halves, "never_asked"), "whole")),
          Number(At(all, "first")),
          Number(At(all, "substring")),
          Number(At(all, "tries"), 0)};
}

std::vector<std::string> SuccessHeader(std::string title) {
  return {std::move(title), "whole",     "asked", "never asked",
          "first token",    "substring", "tries"};
}

// Columns are splits.
std::string RenderAnswersByRelation(const Json& model) {
  std::vector<std::string> header = {"relation"};
  std::vector<std::string> splits;
  for (Split split : kSplits) {
    const std::string name(SplitName(split));
    if (!At(At(model, name), "by_relation").is_object()) continue;
    splits.push_back(name);
    header.push_back(name);
  }
  if (splits.empty()) return "";
  Table table(std::move(header));
  for (const auto& [relation, unused] :
       At(At(model, splits.front()), "by_relation").items()) {
    std::vector<std::string> row = {relation};
    for (const std::string& split : splits) {
      row.push_back(Number(
          At(At(At(At(model, split), "by_relation"), relation), "whole")));
    }
    table.Row(std::move(row));
  }
  return table.Render();
}

std::string RenderLanguageModel(const Json& model) {
  Table table(SuccessHeader("wordings"));
  for (Split split : kSplits) {
    const std::string name(SplitName(split));
    if (model.contains(name)) table.Row(SuccessRow(name, model[name]));
  }
  return absl::StrCat("Language model, answers without an edit\n",
                      table.Render(), RenderAnswersByRelation(model));
}

std::string RenderSelection(const Json& selection) {
  std::string text = "Chosen on validation wordings\n";
  Table table({"hook", "mode", "alpha", "swap", "diagonal"});
  for (const char* stage : {"layers", "modes"}) {
    if (!selection.contains(stage)) continue;
    for (const Json& row : selection[stage]) {
      table.Row({Text(At(row, "hook")), Text(At(row, "mode")),
                 Number(At(row, "alpha"), 2), Number(At(row, "whole")),
                 Number(At(row, "diagonal_accuracy"))});
    }
  }
  return absl::StrCat(text, table.Render());
}

std::string RenderBinding(const std::string& title, const Json& binding) {
  Table table(
      {"relation", "diagonal", "top 2", "top 3", "margin", "own bound"});
  const auto row = [&](const std::string& name, const Json& counts) {
    table.Row({name, Number(At(counts, "diagonal_accuracy")),
               Number(At(counts, "top2")), Number(At(counts, "top3")),
               Number(At(counts, "margin")), Number(At(counts, "own_bound"))});
  };
  row("all", binding);
  row("asked people", At(binding, "asked"));
  row("never asked", At(binding, "never_asked"));
  for (const auto& [relation, counts] : At(binding, "by_relation").items()) {
    row(relation, counts);
  }
  return absl::StrCat("Binding, ", title, "\n", table.Render());
}

std::string RenderDictionary(const Json& dictionary) {
  Table table({"FVU", "L0", "dead", "free", "EffFeat all", "EffFeat slots"});
  table.Row({Number(At(dictionary, "fvu")), Number(At(dictionary, "l0"), 1),
             Number(At(dictionary, "dead_features"), 0),
             Number(At(dictionary, "free_features"), 0),
             Number(At(dictionary, "effective_features"), 1),
             Number(At(dictionary, "effective_slots"), 2)});
  return absl::StrCat("Dictionary, test wordings\n", table.Render());
}

std::string RenderWritten(const Json& written) {
  Table table({"relation", "cosine", "written share"});
  const auto row = [&](const std::string& name, const Json& figures) {
    table.Row({name, Number(At(figures, "cosine")),
               Number(At(figures, "written_share"))});
  };
  row("mean", written);
  for (const auto& [relation, figures] : At(written, "by_relation").items()) {
    row(relation, figures);
  }
  return absl::StrCat("What the slots write, test wordings\n", table.Render());
}

std::string RenderSwaps(const std::string& title, const Json& swap) {
  std::vector<std::string> header = SuccessHeader("target");
  header.emplace_back("above chance");
  Table targets(std::move(header));
  const auto add = [&targets](const std::string& name, const Json& halves) {
    std::vector<std::string> row = SuccessRow(name, halves);
    row.push_back(Number(At(halves, "above_chance")));
    targets.Row(std::move(row));
  };
  add("all", swap);
  for (const auto& [relation, halves] : At(swap, "by_target").items()) {
    add(relation, halves);
  }
  Table curve(
      {"alpha", "whole", "asked", "never asked", "first token", "substring"});
  for (const Json& point : At(swap, "alpha_curve")) {
    curve.Row({Number(At(point, "alpha"), 2), Number(At(point, "whole")),
               Number(At(point, "asked")), Number(At(point, "never_asked")),
               Number(At(point, "first")), Number(At(point, "substring"))});
  }
  return absl::StrCat("Swap success, ", title, ": ", Text(At(swap, "mode")),
                      " at alpha ", Number(At(swap, "alpha"), 2), "\n",
                      targets.Render(), curve.Render());
}

// Rows are what was asked, columns what was steered to.
std::string RenderPairs(const Json& swap) {
  std::vector<std::string> relations;
  for (const auto& [relation, unused] : At(swap, "by_target").items()) {
    relations.push_back(relation);
  }
  std::vector<std::string> header = {"asked \\ target"};
  header.insert(header.end(), relations.begin(), relations.end());
  Table table(header);
  for (const std::string& source : relations) {
    std::vector<std::string> row = {source};
    for (const std::string& target : relations) {
      row.push_back(
          Number(At(At(At(swap, "pairs"), absl::StrCat(source, " -> ", target)),
                    "whole")));
    }
    table.Row(std::move(row));
  }
  return absl::StrCat("Swap success by pair, test wordings\n", table.Render());
}

std::string RenderBaselines(const Json& baselines) {
  Table table({"variant", "mode", "alpha", "swap", "worst target", "diagonal"});
  for (const auto& [name, baseline] : baselines.items()) {
    const Json& swap = At(baseline, "swap");
    double worst = 1;
    for (const auto& [relation, halves] : At(swap, "by_target").items()) {
      const Json& whole = At(At(halves, "all"), "whole");
      if (whole.is_number()) worst = std::min(worst, whole.get<double>());
    }
    table.Row({name, Text(At(swap, "mode")), Number(At(swap, "alpha"), 2),
               Number(At(At(swap, "all"), "whole")), Number(Json(worst)),
               Number(At(At(baseline, "binding"), "diagonal_accuracy"))});
  }
  return absl::StrCat("Beside it, test wordings\n", table.Render());
}

}  // namespace

std::string RenderEvaluation(const Json& evaluation) {
  std::string text;
  const auto add = [&](const std::string& part) {
    absl::StrAppend(&text, text.empty() ? "" : "\n", part);
  };
  const Json& model = At(evaluation, "language_model");
  if (model.is_object()) add(RenderLanguageModel(model));
  const Json& selection = At(evaluation, "selection");
  if (selection.is_object()) add(RenderSelection(selection));
  for (Split split : kSplits) {
    const Json& part = At(evaluation, std::string(SplitName(split)));
    if (!part.is_object()) continue;
    const std::string title = absl::StrCat(SplitName(split), " wordings");
    add(RenderBinding(title, At(part, "binding")));
    if (part.contains("dictionary")) add(RenderDictionary(part["dictionary"]));
    if (part.contains("written")) add(RenderWritten(part["written"]));
    add(RenderSwaps(title, At(part, "swap")));
    if (split == Split::kTest) add(RenderPairs(At(part, "swap")));
  }
  const std::string wrong =
      RenderSignatures(SignaturesOf(RecipeFiguresOf(At(evaluation, "test"))));
  if (!wrong.empty()) add(absl::StrCat("What the test figures show\n", wrong));
  const Json& baselines = At(evaluation, "baselines");
  if (baselines.is_object()) add(RenderBaselines(baselines));
  return text;
}

}  // namespace alignsae
