#include "client/cli/labelled_prompts.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr int kMostIds = std::numeric_limits<int32_t>::max();

bool IsInt32(const nlohmann::json& value) {
  return value.is_number_integer() && value <= kMostIds && value >= -kMostIds;
}

absl::Status ReadPrompt(const JsonObject& json, v1::LabelledPrompt& wire) {
  if (json.Has("prompt") == json.Has("token_ids")) {
    return json.Refuse("prompt", "given, or \"token_ids\", one of both",
                       json.Has("prompt") ? "both" : "neither");
  }
  if (json.Has("prompt")) {
    ALIGNSAE_ASSIGN_OR_RETURN(*wire.mutable_prompt()->mutable_text(),
                              json.String("prompt"));
    return absl::OkStatus();
  }
  const nlohmann::json& ids = json.json()["token_ids"];
  if (!ids.is_array() || ids.empty()) {
    return json.Refuse("token_ids", "a list that is not empty", ShowJson(&ids));
  }
  for (const nlohmann::json& id : ids) {
    if (!IsInt32(id)) {
      return json.Refuse("token_ids", "whole numbers", ShowJson(&id));
    }
    wire.mutable_prompt()->mutable_token_ids()->add_ids(id.get<int32_t>());
  }
  return absl::OkStatus();
}

absl::Status ReadConcept(const JsonObject& json, v1::LabelledPrompt& wire) {
  if (!json.json().contains("concept")) {
    return json.Refuse("concept", "a name or null", "nothing");
  }
  const nlohmann::json& value = json.json()["concept"];
  if (value.is_null()) return absl::OkStatus();
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
    return json.Refuse("concept", "one name or null", ShowJson(&value));
  }
  wire.set_concept_name(value.get<std::string>());
  return absl::OkStatus();
}

absl::Status ReadRest(const JsonObject& json, v1::LabelledPrompt& wire) {
  if (json.Has("position")) {
    const nlohmann::json& position = json.json()["position"];
    if (position.is_object()) {
      ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject at, json.Object("position"));
      ALIGNSAE_RETURN_IF_ERROR(at.OnlyKeys({"text"}));
      ALIGNSAE_ASSIGN_OR_RETURN(*wire.mutable_position_text(),
                                at.String("text"));
    } else if (!IsInt32(position)) {
      return json.Refuse("position", "a whole number or {\"text\": ..}",
                         ShowJson(&position));
    } else {
      wire.set_position(position.get<int32_t>());
    }
  }
  if (json.Has("answer")) {
    ALIGNSAE_ASSIGN_OR_RETURN(*wire.mutable_answer(), json.String("answer"));
  }
  if (!json.Has("targets")) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject targets, json.Object("targets"));
  for (const auto& [name, answer] : targets.json().items()) {
    ALIGNSAE_ASSIGN_OR_RETURN((*wire.mutable_targets())[name],
                              targets.String(name));
  }
  return absl::OkStatus();
}

absl::Status ReadLine(const JsonLine& line,
                      v1::ValidateBindingRequest& request) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject json,
                            JsonObject::Of(line.value, line.place));
  ALIGNSAE_RETURN_IF_ERROR(
      json.OnlyKeys({"prompt", "token_ids", "position", "concept", "split",
                     "group", "answer", "targets"}));
  v1::LabelledPrompt wire;
  ALIGNSAE_RETURN_IF_ERROR(ReadPrompt(json, wire));
  ALIGNSAE_RETURN_IF_ERROR(ReadConcept(json, wire));
  ALIGNSAE_RETURN_IF_ERROR(ReadRest(json, wire));
  if (json.Has("split")) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string split, json.String("split"));
    if (split != "test") return absl::OkStatus();
  }
  *request.add_prompts() = std::move(wire);
  return absl::OkStatus();
}

}  // namespace

absl::Status AddLabelledPrompts(absl::string_view text, const std::string& file,
                                v1::ValidateBindingRequest& request) {
  ALIGNSAE_RETURN_IF_ERROR(ForEachJsonLine(
      text, file + ":",
      [&request](const JsonLine& line) { return ReadLine(line, request); }));
  if (!request.prompts().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(file,
                   ": must hold labelled prompts to validate with (where "
                   "they have splits: of \"test\"), got none"));
}

}  // namespace alignsae
