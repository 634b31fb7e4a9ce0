// Sweeps, all pairs, and the tries of a search, as tables.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/cli/render.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

std::string AnswerCell(const v1::ArmResult& arm) {
  return std::string(absl::StripAsciiWhitespace(arm.text()));
}

std::string LogprobCell(const v1::ArmResult& arm) {
  return absl::StrFormat("%.3f", arm.total_logprob());
}

// The name of a concept, or its slot's number.
std::string ConceptCell(const std::string& name, int slot) {
  return name.empty() ? absl::StrCat("#", slot) : name;
}

// norm(change) / norm(h) at the first edited position; "-": none was edited;
// "not held": because the condition held nowhere.
std::string ChangeCell(const v1::ArmResult& arm) {
  if (arm.receipts_size() == 0) return "-";
  const v1::InterventionReceipt& receipt = arm.receipts(0);
  if (receipt.has_condition() && !receipt.condition()) return "not held";
  if (receipt.effects_size() == 0) return "-";
  const v1::PositionEffect& effect = receipt.effects(0);
  return absl::StrFormat("%.3f", effect.change_norm() / effect.residual_norm());
}

std::string LimitName(const v1::GuardStop& stop) {
  return std::string(
      absl::StripPrefix(v1::GuardLimit_Name(stop.limit()), "GUARD_LIMIT_"));
}

// Whether the goal was reached, or which limit was passed: "KL 0.731 > 0.5".
std::string GoalCell(const v1::AlphaTry& tried) {
  if (tried.reached()) return "yes";
  if (!tried.result().has_guard_stop()) return "no";
  const v1::GuardStop& stop = tried.result().guard_stop();
  return absl::StrFormat("%s %.3f > %g", LimitName(stop), stop.value(),
                         stop.allowed());
}

std::string FoundLines(const v1::FindAlphaResponse& answer) {
  std::string out;
  if (answer.baseline_reaches()) {
    out = "the baseline reaches the goal already\n";
  }
  if (!answer.has_smallest()) {
    return out + "no strength that was tried reaches the goal\n";
  }
  absl::StrAppendFormat(
      &out, "smallest: %.4g%s\nlargest:  %.4g%s\n", answer.smallest(),
      answer.open_below() ? ", the bottom of the range" : "", answer.largest(),
      answer.open_above() ? ", the top of the range" : "");
  if (!answer.exact()) {
    absl::StrAppend(&out,
                    "the tries ran out before the precision was reached\n");
  }
  return out;
}

}  // namespace

std::string RenderSweep(std::vector<v1::SweepCell> cells, const Look& look) {
  std::sort(cells.begin(), cells.end(),
            [](const v1::SweepCell& a, const v1::SweepCell& b) {
              return a.index() < b.index();
            });
  Table table({"target", "alpha", "answer", "logprob", "change"});
  for (const v1::SweepCell& cell : cells) {
    const v1::ArmResult& arm = cell.result();
    std::string target = cell.target();
    if (target.empty() && arm.receipts_size() > 0) {
      target = absl::StrCat("#", arm.receipts(0).target_slot());
    }
    table.Add({cell.baseline() ? "baseline" : target,
               cell.baseline() ? "-" : absl::StrFormat("%.3f", cell.alpha()),
               AnswerCell(arm), LogprobCell(arm), ChangeCell(arm)});
  }
  return table.ToString(look);
}

std::string RenderEffects(const v1::ArmResult& arm) {
  std::string out;
  if (arm.has_guard_stop()) {
    const v1::GuardStop& stop = arm.guard_stop();
    absl::StrAppendFormat(
        &out, "  guard: %s of %.3f at position %d is above %g%s\n",
        LimitName(stop), stop.value(), stop.position(), stop.allowed(),
        stop.concept_name().empty()
            ? ""
            : absl::StrCat(" (", Printable(stop.concept_name()), ")"));
  }
  if (!arm.has_side_effects()) return out;
  const v1::SideEffects& effects = arm.side_effects();
  absl::StrAppend(&out, "  side effects:");
  if (effects.has_mean_kl()) {
    absl::StrAppendFormat(&out, " KL mean %.3f, largest %.3f;",
                          effects.mean_kl(), effects.max_kl());
  }
  if (effects.has_first_divergence()) {
    absl::StrAppend(&out, " first other token ", effects.first_divergence(),
                    ";");
  }
  absl::StrAppendFormat(&out, " norm ratio %.3f\n", effects.max_norm_ratio());
  for (const v1::OffTargetSlot& slot : effects.off_target()) {
    absl::StrAppendFormat(&out,
                          "    %s: %+.3f at position %d, %.3f active means\n",
                          Printable(slot.concept_name()), slot.change(),
                          slot.position(), slot.relative_change());
  }
  return out;
}

std::string RenderMatrix(std::vector<v1::SwapMatrixCell> cells,
                         const v1::SwapMatrixSummary& summary,
                         const Look& look) {
  std::sort(cells.begin(), cells.end(),
            [](const v1::SwapMatrixCell& a, const v1::SwapMatrixCell& b) {
              return a.index() < b.index();
            });
  const bool expected = summary.expected_count() > 0;
  std::vector<std::string> head = {"from", "to", "answer", "logprob", "change"};
  if (expected) head.emplace_back("as expected");
  Table table(head);
  for (const v1::SwapMatrixCell& cell : cells) {
    const v1::ArmResult& arm = cell.result();
    std::vector<std::string> row = {"baseline", "-"};
    if (arm.receipts_size() > 0) {
      const v1::InterventionReceipt& receipt = arm.receipts(0);
      row = {ConceptCell(cell.source(), receipt.source_slot()),
             ConceptCell(cell.target(), receipt.target_slot())};
    }
    row.insert(row.end(), {AnswerCell(arm), LogprobCell(arm), ChangeCell(arm)});
    if (expected) {
      row.emplace_back(!cell.has_matches() ? "-"
                       : cell.matches()    ? "yes"
                                           : "no");
    }
    table.Add(std::move(row));
  }
  std::string out = table.ToString(look);
  if (expected) {
    absl::StrAppend(&out, summary.matched_count(), " of ",
                    summary.expected_count(), " swaps as expected\n");
  }
  return out;
}

std::string RenderFoundAlpha(const v1::FindAlphaResponse& answer,
                             const Look& look) {
  Table table({"alpha", "goal", "answer", "logprob", "change", "round"});
  table.Add({"baseline", answer.baseline_reaches() ? "yes" : "no",
             AnswerCell(answer.baseline()), LogprobCell(answer.baseline()), "-",
             "-"});
  for (const v1::AlphaTry& tried : answer.tries()) {
    table.Add({absl::StrFormat("%.4g", tried.alpha()), GoalCell(tried),
               AnswerCell(tried.result()), LogprobCell(tried.result()),
               ChangeCell(tried.result()), absl::StrCat(tried.round())},
              tried.reached() ? Style::kGreen : Style::kPlain);
  }
  return table.ToString(look) + FoundLines(answer);
}

}  // namespace alignsae
