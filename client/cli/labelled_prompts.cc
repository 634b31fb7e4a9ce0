#include "client/cli/labelled_prompts.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "model/base/labelled_line.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

absl::StatusOr<v1::LabelledPrompt> WireOf(const LabelledLine& line) {
  v1::LabelledPrompt wire;
  if (line.token_ids.empty()) {
    wire.mutable_prompt()->set_text(line.text);
  } else {
    wire.mutable_prompt()->mutable_token_ids()->mutable_ids()->Assign(
        line.token_ids.begin(), line.token_ids.end());
  }
  ALIGNSAE_RETURN_IF_ERROR(line.OneConcept(*wire.mutable_concept_name()));
  if (line.position_text.empty()) {
    wire.set_position(line.position);
  } else {
    wire.set_position_text(line.position_text);
  }
  wire.set_answer(line.answer);
  wire.mutable_targets()->insert(line.targets.begin(), line.targets.end());
  return wire;
}

}  // namespace

absl::Status AddLabelledPrompts(absl::string_view text, const std::string& file,
                                v1::ValidateBindingRequest& request) {
  ALIGNSAE_RETURN_IF_ERROR(ForEachLabelledLine(
      text, file, [&request](const LabelledLine& line) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(v1::LabelledPrompt wire, WireOf(line));
        if (!line.split.empty() && line.split != "test") {
          return absl::OkStatus();
        }
        *request.add_prompts() = std::move(wire);
        return absl::OkStatus();
      }));
  if (!request.prompts().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(file,
                   ": must hold labelled prompts to validate with (where "
                   "they have splits: of \"test\"), got none"));
}

}  // namespace alignsae
