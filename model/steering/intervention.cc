#include "model/steering/intervention.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr std::pair<InterventionMode, absl::string_view> kModes[] = {
    {InterventionMode::kAdd, "ADD"},
    {InterventionMode::kAddNormMatched, "ADD_NORM_MATCHED"},
    {InterventionMode::kSet, "SET"},
    {InterventionMode::kMultiply, "MULTIPLY"},
    {InterventionMode::kAblate, "ABLATE"},
    {InterventionMode::kSwap, "SWAP"},
    {InterventionMode::kReplace, "REPLACE"},
};

// `value` as an absolute position, where negative ones count from the end and
// the last legal one is `last` (length - 1, or length for an exclusive bound).
absl::StatusOr<int> FromEnd(absl::string_view what, int64_t value, int length,
                            int last) {
  if (value < -int64_t{length} || value > last) {
    return absl::InvalidArgumentError(absl::StrCat(
        what, ": must be in [", -length, ", ", last, "], got ", value,
        "; the prompt has ", length, length == 1 ? " token" : " tokens"));
  }
  return static_cast<int>(value < 0 ? value + length : value);
}

absl::StatusOr<std::vector<int>> ResolveList(const std::vector<int64_t>& list,
                                             int length) {
  if (list.empty()) {
    return absl::InvalidArgumentError(
        "positions.list: must hold at least one position, got none");
  }
  std::vector<int> positions;
  positions.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(const int position,
                              FromEnd(absl::StrCat("positions.list[", i, "]"),
                                      list[i], length, length - 1));
    positions.push_back(position);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()),
                  positions.end());
  return positions;
}

std::vector<int> Range(int start, int stop) {
  std::vector<int> positions;
  positions.reserve(stop - start);
  for (int position = start; position < stop; ++position) {
    positions.push_back(position);
  }
  return positions;
}

absl::StatusOr<std::vector<int>> ResolveWindow(int64_t start, int64_t stop,
                                               int length) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int first,
      FromEnd("positions.window.start", start, length, length - 1));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int end, FromEnd("positions.window.stop", stop, length, length));
  if (first >= end) {
    return absl::InvalidArgumentError(
        absl::StrCat("positions.window: must have start below stop, got [",
                     start, ", ", stop, "), which is [", first, ", ", end,
                     ") of ", length, length == 1 ? " token" : " tokens"));
  }
  return Range(first, end);
}

absl::StatusOr<std::vector<int>> ResolvePrompt(
    const PositionSelection& selection, int length) {
  switch (selection.prompt) {
    case PositionSelection::Prompt::kNone:
      if (selection.generated) return std::vector<int>();
      return absl::InvalidArgumentError(
          "positions: must select prompt tokens or generated tokens, got "
          "neither");
    case PositionSelection::Prompt::kLast:
      return Range(length - 1, length);
    case PositionSelection::Prompt::kAll:
      return Range(0, length);
    case PositionSelection::Prompt::kList:
      return ResolveList(selection.list, length);
    case PositionSelection::Prompt::kWindow:
      return ResolveWindow(selection.start, selection.stop, length);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("positions: must be NONE, LAST, ALL, LIST or WINDOW, got ",
                   static_cast<int>(selection.prompt)));
}

}  // namespace

absl::string_view InterventionModeName(InterventionMode mode) {
  for (const auto& [known, name] : kModes) {
    if (known == mode) return name;
  }
  return "UNKNOWN";
}

absl::StatusOr<InterventionMode> ParseInterventionMode(absl::string_view name) {
  for (const auto& [mode, known] : kModes) {
    if (known == name) return mode;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("mode: must be one of ",
                   absl::StrJoin(kModes, ", ",
                                 [](std::string* out, const auto& entry) {
                                   absl::StrAppend(out, entry.second);
                                 }),
                   ", got ", Quoted(name)));
}

bool IsTwoSlotMode(InterventionMode mode) {
  return mode == InterventionMode::kSwap || mode == InterventionMode::kReplace;
}

bool HasAlphaUnit(InterventionMode mode) {
  return mode == InterventionMode::kSet || IsTwoSlotMode(mode);
}

absl::StatusOr<ResolvedPositions> ResolvePositions(
    const PositionSelection& selection, int prompt_length) {
  if (prompt_length < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt: must hold at least one token, got ", prompt_length));
  }
  ResolvedPositions resolved;
  ALIGNSAE_ASSIGN_OR_RETURN(resolved.prompt,
                            ResolvePrompt(selection, prompt_length));
  resolved.generated = selection.generated;
  return resolved;
}

bool Intervention::AppliesAt(int position, int prompt_length) const {
  if (position >= prompt_length) return positions.generated;
  return std::binary_search(positions.prompt.begin(), positions.prompt.end(),
                            position);
}

void InterventionReceipt::Merge(const InterventionReceipt& later) {
  positions_applied += later.positions_applied;
  const size_t room = kMaxReceiptPositions -
                      std::min<size_t>(kMaxReceiptPositions, effects.size());
  const size_t taken = std::min(room, later.effects.size());
  effects.insert(effects.end(), later.effects.begin(),
                 later.effects.begin() + static_cast<std::ptrdiff_t>(taken));
}

}  // namespace alignsae
