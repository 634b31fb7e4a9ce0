#include "model/steering/positions.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

std::string Tokens(int count) {
  return absl::StrCat(count, count == 1 ? " token" : " tokens");
}

// `value` as an absolute position, where negative ones count from the end and
// the last legal one is `last` (length - 1, or length for an exclusive bound).
absl::StatusOr<int> FromEnd(absl::string_view field, int64_t value, int length,
                            int last) {
  if (value < -int64_t{length} || value > last) {
    return InvalidField(
        field, absl::StrCat("be in [", -length, ", ", last, "]"),
        absl::StrCat(value, "; the prompt has ", Tokens(length)));
  }
  return static_cast<int>(value < 0 ? value + length : value);
}

absl::StatusOr<std::vector<int>> ResolveList(const std::vector<int64_t>& list,
                                             int length) {
  if (list.empty()) {
    return InvalidField("positions", "hold at least one position", "none");
  }
  std::vector<int> positions;
  positions.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const int position,
        FromEnd(Indexed("positions", i), list[i], length, length - 1));
    positions.push_back(position);
  }
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()),
                  positions.end());
  return positions;
}

std::vector<int> Range(int start, int stop) {
  std::vector<int> positions(stop - start);
  std::iota(positions.begin(), positions.end(), start);
  return positions;
}

absl::StatusOr<std::vector<int>> ResolveWindow(int64_t start, int64_t stop,
                                               int length) {
  ALIGNSAE_ASSIGN_OR_RETURN(const int first,
                            FromEnd("window.start", start, length, length - 1));
  ALIGNSAE_ASSIGN_OR_RETURN(const int end,
                            FromEnd("window.stop", stop, length, length));
  if (first >= end) {
    return InvalidField(
        "window", "have start below stop",
        absl::StrCat("[", start, ", ", stop, "), which is [", first, ", ", end,
                     ") of ", Tokens(length)));
  }
  return Range(first, end);
}

absl::StatusOr<std::vector<int>> ResolvePrompt(
    const PositionSelection& selection, int length) {
  switch (selection.prompt) {
    case PositionSelection::Prompt::kNone:
      if (selection.generated) return std::vector<int>();
      return InvalidField("", "select prompt tokens or generated tokens",
                          "neither");
    case PositionSelection::Prompt::kLast:
      return Range(length - 1, length);
    case PositionSelection::Prompt::kAll:
      return Range(0, length);
    case PositionSelection::Prompt::kList:
      return ResolveList(selection.positions, length);
    case PositionSelection::Prompt::kWindow:
      return ResolveWindow(selection.start, selection.stop, length);
  }
  return InvalidField("prompt", "be NONE, LAST, ALL, LIST or WINDOW",
                      static_cast<int>(selection.prompt));
}

}  // namespace

absl::StatusOr<ResolvedPositions> ResolvePositions(
    const PositionSelection& selection, int prompt_length) {
  if (prompt_length < 1) {
    return absl::InternalError(
        absl::StrCat("positions of a prompt of ", prompt_length, " tokens"));
  }
  ResolvedPositions resolved;
  ALIGNSAE_ASSIGN_OR_RETURN(resolved.prompt,
                            ResolvePrompt(selection, prompt_length));
  resolved.generated = selection.generated;
  return resolved;
}

}  // namespace alignsae
