#include "model/base/labelled_line.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr int kMaxId = std::numeric_limits<int32_t>::max();
constexpr char kConceptRule[] = "a name, names, or null";

// A text under `key` that may be absent.
absl::Status ReadText(const JsonObject& json, absl::string_view key,
                      std::string& text) {
  if (!json.Has(key)) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(text, json.String(key));
  if (!text.empty()) return absl::OkStatus();
  return json.Refuse(key, "a text that is not empty", "\"\"");
}

absl::Status ReadPrompt(const JsonObject& json, LabelledLine& line) {
  if (json.Has("prompt") == json.Has("token_ids")) {
    return json.Refuse("prompt", "there, or \"token_ids\" instead of it",
                       json.Has("prompt") ? "both" : "neither");
  }
  ALIGNSAE_RETURN_IF_ERROR(ReadText(json, "prompt", line.text));
  if (!json.Has("token_ids")) return absl::OkStatus();
  const nlohmann::json& ids = json.json()["token_ids"];
  const char kRule[] = "token ids, not empty";
  if (!ids.is_array() || ids.empty()) {
    return json.Refuse("token_ids", kRule, ShowJson(&ids));
  }
  for (const nlohmann::json& id : ids) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > kMaxId) {
      return json.Refuse("token_ids", kRule, ShowJson(&id));
    }
    line.token_ids.push_back(id.get<int32_t>());
  }
  return absl::OkStatus();
}

absl::Status ReadPosition(const JsonObject& json, LabelledLine& line) {
  if (!json.Has("position")) return absl::OkStatus();
  const nlohmann::json& position = json.json()["position"];
  if (position.is_number_integer()) {
    ALIGNSAE_ASSIGN_OR_RETURN(line.position,
                              json.Integer("position", -kMaxId, kMaxId));
    return absl::OkStatus();
  }
  if (!position.is_object()) {
    return json.Refuse("position", "a whole number or {\"text\": \"...\"}",
                       ShowJson(&position));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject inner, json.Object("position"));
  ALIGNSAE_RETURN_IF_ERROR(inner.OnlyKeys({"text"}));
  ALIGNSAE_ASSIGN_OR_RETURN(line.position_text, inner.String("text"));
  if (!line.position_text.empty()) return absl::OkStatus();
  return inner.Refuse("text", "a text that is not empty", "\"\"");
}

absl::Status ReadConcepts(const JsonObject& json, LabelledLine& line) {
  if (!json.json().contains("concept")) {
    return json.Refuse("concept", kConceptRule, "nothing");
  }
  const nlohmann::json& value = json.json()["concept"];
  if (value.is_null()) return absl::OkStatus();
  if (value.is_array() && value.empty()) {
    return json.Refuse("concept", kConceptRule, "[]");
  }
  const nlohmann::json names =
      value.is_array() ? value : nlohmann::json::array({value});
  for (const nlohmann::json& name : names) {
    if (!name.is_string() || name.get_ref<const std::string&>().empty()) {
      return json.Refuse("concept", kConceptRule, ShowJson(&name));
    }
    std::vector<std::string>& known = line.concepts;
    std::string next = name.get<std::string>();
    if (std::find(known.begin(), known.end(), next) != known.end()) {
      return json.Refuse("concept", "distinct names", ShowJson(&value));
    }
    known.push_back(std::move(next));
  }
  return absl::OkStatus();
}

absl::Status ReadTargets(const JsonObject& json, LabelledLine& line) {
  if (!json.Has("targets")) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject targets, json.Object("targets"));
  for (const auto& [name, answer] : targets.json().items()) {
    if (!answer.is_string() || answer.get_ref<const std::string&>().empty()) {
      return json.Refuse("targets", "texts that are not empty",
                         ShowJson(&answer));
    }
    line.targets[name] = answer.get<std::string>();
  }
  return absl::OkStatus();
}

absl::StatusOr<LabelledLine> ReadLine(const JsonLine& from) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject json,
                            JsonObject::Of(from.value, from.place));
  ALIGNSAE_RETURN_IF_ERROR(
      json.OnlyKeys({"prompt", "token_ids", "position", "concept", "split",
                     "group", "answer", "targets"}));
  LabelledLine line;
  line.place = from.place;
  line.number = from.number;
  ALIGNSAE_RETURN_IF_ERROR(ReadPrompt(json, line));
  ALIGNSAE_RETURN_IF_ERROR(ReadPosition(json, line));
  ALIGNSAE_RETURN_IF_ERROR(ReadConcepts(json, line));
  ALIGNSAE_RETURN_IF_ERROR(ReadText(json, "split", line.split));
  ALIGNSAE_RETURN_IF_ERROR(ReadText(json, "group", line.group));
  ALIGNSAE_RETURN_IF_ERROR(ReadText(json, "answer", line.answer));
  ALIGNSAE_RETURN_IF_ERROR(ReadTargets(json, line));
  return line;
}

}  // namespace

absl::Status LabelledLine::Refuse(absl::string_view key, absl::string_view rule,
                                  absl::string_view got) const {
  return absl::InvalidArgumentError(
      absl::StrCat(place, ": ", key, ": must be ", rule, ", got ", got));
}

absl::Status LabelledLine::OneConcept(std::string& name) const {
  if (concepts.size() > 1) {
    return Refuse("concept", "one name or null", absl::StrJoin(concepts, ", "));
  }
  if (!concepts.empty()) name = concepts.front();
  return absl::OkStatus();
}

absl::Status ForEachLabelledLine(
    absl::string_view text, const std::string& file,
    const std::function<absl::Status(LabelledLine)>& read) {
  return ForEachJsonLine(
      text, file + ":", [&read](const JsonLine& from) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(LabelledLine line, ReadLine(from));
        return read(std::move(line));
      });
}

}  // namespace alignsae
