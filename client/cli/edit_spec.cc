#include "client/cli/edit_spec.h"

#include <google/protobuf/util/json_util.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"

namespace alignsae {
namespace {

absl::Status BadEdit(absl::string_view rule, absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("--edit: must be ", rule, ", got \"", got, "\""));
}

absl::Status BadPositions(absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("--positions: must be last, all, none, list:I,J,..., "
                   "window:START:STOP or "
                   "text:NAME,"
                   " got \"",
                   got, "\""));
}

bool ParsePosition(absl::string_view text, int32_t* position) {
  return absl::SimpleAtoi(text, position);
}

absl::StatusOr<v1::PositionSelection> ParseList(absl::string_view items,
                                                absl::string_view spec) {
  v1::PositionSelection selection;
  selection.set_prompt(v1::PROMPT_SELECTION_LIST);
  for (absl::string_view item : absl::StrSplit(items, ',')) {
    int32_t position = 0;
    if (!ParsePosition(item, &position)) return BadPositions(spec);
    selection.add_positions(position);
  }
  return selection;
}

absl::StatusOr<v1::PositionSelection> ParseWindow(absl::string_view bounds,
                                                  absl::string_view spec) {
  v1::PositionSelection selection;
  selection.set_prompt(v1::PROMPT_SELECTION_WINDOW);
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(bounds, absl::MaxSplits(':', 1));
  int32_t position = 0;
  if (!absl::StrContains(bounds, ':')) return BadPositions(spec);
  if (!parts.first.empty()) {
    if (!ParsePosition(parts.first, &position)) return BadPositions(spec);
    selection.mutable_window()->set_start(position);
  }
  if (!parts.second.empty()) {
    if (!ParsePosition(parts.second, &position)) return BadPositions(spec);
    selection.mutable_window()->set_stop(position);
  }
  return selection;
}

}  // namespace

v1::ConceptRef ParseConceptRef(absl::string_view name) {
  v1::ConceptRef ref;
  int32_t slot = 0;
  if (absl::StartsWith(name, "#") && absl::SimpleAtoi(name.substr(1), &slot)) {
    ref.set_slot(slot);
  } else {
    ref.set_name(std::string(name));
  }
  return ref;
}

std::optional<v1::ReadingCondition> ParseConditionSpec(absl::string_view spec) {
  v1::ReadingCondition condition;
  const size_t greater = spec.rfind('>');
  if (greater != absl::string_view::npos) {
    double above = 0;
    if (!absl::SimpleAtod(spec.substr(greater + 1), &above) ||
        !std::isfinite(above)) {
      return std::nullopt;
    }
    condition.set_above(above);
    spec = spec.substr(0, greater);
  } else {
    condition.set_bound(!absl::ConsumePrefix(&spec, "!"));
  }
  if (spec.empty()) return std::nullopt;
  *condition.mutable_slot() = ParseConceptRef(spec);
  return condition;
}

absl::StatusOr<v1::Intervention> ParseEditSpec(absl::string_view spec) {
  constexpr absl::string_view kForm = "MODE:[SOURCE>]TARGET[@ALPHA][raw]";
  const size_t colon = spec.find(':');
  if (colon == absl::string_view::npos) return BadEdit(kForm, spec);
  v1::Intervention edit;
  v1::InterventionMode mode = v1::INTERVENTION_MODE_UNSPECIFIED;
  const std::string mode_name = absl::StrCat(
      "INTERVENTION_MODE_", absl::AsciiStrToUpper(spec.substr(0, colon)));
  if (!v1::InterventionMode_Parse(mode_name, &mode) ||
      mode == v1::INTERVENTION_MODE_UNSPECIFIED) {
    return BadEdit(
        "add, add_norm_matched, set, multiply, ablate, swap, replace or "
        "project_out before the colon",
        spec);
  }
  edit.set_mode(mode);
  absl::string_view rest = spec.substr(colon + 1);
  // A concept's name may hold anything but > and @.
  const size_t at = rest.rfind('@');
  if (at != absl::string_view::npos) {
    absl::string_view alpha_text = rest.substr(at + 1);
    if (absl::ConsumeSuffix(&alpha_text, "raw")) {
      edit.set_unit(v1::ALPHA_UNIT_RAW);
    }
    double alpha = 0;
    if (!absl::SimpleAtod(alpha_text, &alpha) || !std::isfinite(alpha)) {
      return BadEdit("a finite number after @", spec);
    }
    edit.set_alpha(alpha);
    rest = rest.substr(0, at);
  }
  const size_t arrow = rest.find('>');
  if (arrow != absl::string_view::npos) {
    if (arrow == 0) return BadEdit("a concept before >", spec);
    *edit.mutable_source() = ParseConceptRef(rest.substr(0, arrow));
    rest = rest.substr(arrow + 1);
  }
  if (rest.empty()) return BadEdit(kForm, spec);
  *edit.mutable_target() = ParseConceptRef(rest);
  return edit;
}

absl::StatusOr<v1::Intervention> ParseEditJson(const std::string& text) {
  constexpr int64_t kMaxBytes = int64_t{16} << 20;
  std::string json = text;
  if (absl::StartsWith(text, "@")) {
    const absl::StatusOr<std::string> file =
        ReadFile(text.substr(1), kMaxBytes);
    if (!file.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--edit-json: ", file.status().message()));
    }
    json = *file;
  }
  v1::Intervention edit;
  const google::protobuf::util::Status parsed =
      google::protobuf::util::JsonStringToMessage(json, &edit);
  if (parsed.ok()) return edit;
  return absl::InvalidArgumentError(
      absl::StrCat("--edit-json: must be an alignsae.v1.Intervention as JSON: ",
                   std::string(parsed.message())));
}

absl::StatusOr<v1::PositionSelection> ParsePositions(absl::string_view spec) {
  v1::PositionSelection selection;
  if (spec == "last") {
    selection.set_prompt(v1::PROMPT_SELECTION_LAST);
  } else if (spec == "all") {
    selection.set_prompt(v1::PROMPT_SELECTION_ALL);
  } else if (spec == "none") {
    selection.set_prompt(v1::PROMPT_SELECTION_NONE);
  } else if (absl::StartsWith(spec, "list:")) {
    return ParseList(spec.substr(5), spec);
  } else if (absl::StartsWith(spec, "window:")) {
    return ParseWindow(spec.substr(7), spec);
  } else if (absl::StartsWith(spec, "text:") && spec.size() > 5) {
    selection.set_prompt(v1::PROMPT_SELECTION_TEXT);
    selection.set_text(std::string(spec.substr(5)));
  } else {
    return BadPositions(spec);
  }
  return selection;
}

}  // namespace alignsae
