#include "model/train/data/prompt_file.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/steering/concept.h"
#include "model/train/data/prompt_split.h"

namespace alignsae {
namespace {

constexpr int kMaxId = std::numeric_limits<int32_t>::max();

// Reads the lines of one file.
class PromptReader {
 public:
  explicit PromptReader(const std::string& file) { set_.file = file; }

  absl::Status ReadLine(const JsonLine& line);
  absl::StatusOr<PromptSet> Finish(uint64_t seed) &&;

 private:
  absl::Status ReadText(const JsonObject& json, LabelledPrompt& prompt);
  absl::Status ReadPosition(const JsonObject& json, LabelledPrompt& prompt);
  absl::Status ReadConcepts(const JsonObject& json, LabelledPrompt& prompt);
  absl::Status ReadSplit(const JsonObject& json, LabelledPrompt& prompt);
  absl::Status ReadTargets(const JsonObject& json, LabelledPrompt& prompt);
  absl::StatusOr<int> ConceptIndex(const JsonObject& json,
                                   const nlohmann::json& name);

  PromptSet set_;
  absl::flat_hash_map<std::string, int> known_;
  // Targets may name concepts of later lines.
  struct NamedTarget {
    size_t prompt;
    std::string name;
    std::string answer;
  };
  std::vector<NamedTarget> targets_;
  std::optional<bool> has_splits_;  // As on the first line.
};

// A text under `key` that may be absent; "" then.
absl::StatusOr<std::string> OptionalText(const JsonObject& json,
                                         absl::string_view key) {
  if (!json.Has(key)) return std::string();
  ALIGNSAE_ASSIGN_OR_RETURN(std::string text, json.String(key));
  if (text.empty()) return json.Refuse(key, "a text that is not empty", "\"\"");
  return text;
}

absl::Status PromptReader::ReadText(const JsonObject& json,
                                    LabelledPrompt& prompt) {
  if (json.Has("prompt") == json.Has("token_ids")) {
    return json.Refuse("prompt", "there, or \"token_ids\" instead of it",
                       json.Has("prompt") ? "both" : "neither");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.text, OptionalText(json, "prompt"));
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
    prompt.token_ids.push_back(id.get<int32_t>());
  }
  return absl::OkStatus();
}

absl::Status PromptReader::ReadPosition(const JsonObject& json,
                                        LabelledPrompt& prompt) {
  if (!json.Has("position")) return absl::OkStatus();
  const nlohmann::json& position = json.json()["position"];
  if (position.is_number_integer()) {
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.position,
                              json.Integer("position", -kMaxId, kMaxId));
    return absl::OkStatus();
  }
  if (!position.is_object()) {
    return json.Refuse("position", "a whole number or {\"text\": \"...\"}",
                       ShowJson(&position));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject inner, json.Object("position"));
  ALIGNSAE_RETURN_IF_ERROR(inner.OnlyKeys({"text"}));
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.position_text, inner.String("text"));
  if (prompt.text.empty()) {
    return json.Refuse("position", "a whole number beside \"token_ids\"",
                       "a text");
  }
  const size_t first = prompt.text.find(prompt.position_text);
  if (prompt.position_text.empty() || first == std::string::npos ||
      prompt.text.find(prompt.position_text, first + 1) != std::string::npos) {
    return json.Refuse("position.text", "once in the prompt",
                       Quoted(prompt.position_text));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> PromptReader::ConceptIndex(const JsonObject& json,
                                               const nlohmann::json& name) {
  if (!name.is_string() || !IsGoodName(name.get_ref<const std::string&>())) {
    return json.Refuse("concept", kNameRule, ShowJson(&name));
  }
  const auto [place, is_new] =
      known_.emplace(name, static_cast<int>(set_.concepts.size()));
  if (is_new) set_.concepts.push_back(name);
  return place->second;
}

absl::Status PromptReader::ReadConcepts(const JsonObject& json,
                                        LabelledPrompt& prompt) {
  if (!json.json().contains("concept")) {
    return json.Refuse("concept", "a name, names, or null", "nothing");
  }
  const nlohmann::json& value = json.json()["concept"];
  if (value.is_null()) return absl::OkStatus();
  if (value.is_array() && value.empty()) {
    return json.Refuse("concept", "a name, names, or null", "[]");
  }
  const nlohmann::json names =
      value.is_array() ? value : nlohmann::json::array({value});
  for (const nlohmann::json& name : names) {
    ALIGNSAE_ASSIGN_OR_RETURN(const int index, ConceptIndex(json, name));
    prompt.concepts.push_back(index);
  }
  std::sort(prompt.concepts.begin(), prompt.concepts.end());
  if (std::adjacent_find(prompt.concepts.begin(), prompt.concepts.end()) !=
      prompt.concepts.end()) {
    return json.Refuse("concept", "distinct names", ShowJson(&value));
  }
  return absl::OkStatus();
}

absl::Status PromptReader::ReadSplit(const JsonObject& json,
                                     LabelledPrompt& prompt) {
  const bool has_split = json.Has("split");
  if (has_splits_.value_or(has_split) != has_split) {
    return json.Refuse("split", "on every line or on none",
                       has_split ? "one here and none on the first line"
                                 : "none here and one on the first line");
  }
  has_splits_ = has_split;
  if (!has_split) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string name, json.String("split"));
  for (Split split : {Split::kSaeTrain, Split::kValidation, Split::kTest}) {
    if (name != PromptSplitName(split)) continue;
    prompt.split = split;
    return absl::OkStatus();
  }
  return json.Refuse("split", "train, validation or test", Quoted(name));
}

absl::Status PromptReader::ReadTargets(const JsonObject& json,
                                       LabelledPrompt& prompt) {
  if (!json.Has("targets")) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject targets, json.Object("targets"));
  for (const auto& [name, answer] : targets.json().items()) {
    if (!answer.is_string() || answer.get_ref<const std::string&>().empty()) {
      return json.Refuse("targets", "texts that are not empty",
                         ShowJson(&answer));
    }
    targets_.push_back({set_.prompts.size(), name, answer});
  }
  return absl::OkStatus();
}

absl::Status PromptReader::ReadLine(const JsonLine& line) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject json,
                            JsonObject::Of(line.value, line.place));
  ALIGNSAE_RETURN_IF_ERROR(
      json.OnlyKeys({"prompt", "token_ids", "position", "concept", "split",
                     "group", "answer", "targets"}));
  LabelledPrompt prompt;
  prompt.line = line.number;
  ALIGNSAE_RETURN_IF_ERROR(ReadText(json, prompt));
  ALIGNSAE_RETURN_IF_ERROR(ReadPosition(json, prompt));
  ALIGNSAE_RETURN_IF_ERROR(ReadConcepts(json, prompt));
  ALIGNSAE_RETURN_IF_ERROR(ReadSplit(json, prompt));
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.group, OptionalText(json, "group"));
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.answer, OptionalText(json, "answer"));
  prompt.answer = std::string(absl::StripLeadingAsciiWhitespace(prompt.answer));
  ALIGNSAE_RETURN_IF_ERROR(ReadTargets(json, prompt));
  set_.prompts.push_back(std::move(prompt));
  return absl::OkStatus();
}

absl::StatusOr<PromptSet> PromptReader::Finish(uint64_t seed) && {
  if (set_.concepts.empty()) {
    return absl::InvalidArgumentError(
        set_.file + ": concept: must be named on some line, got none");
  }
  for (const NamedTarget& target : targets_) {
    LabelledPrompt& prompt = set_.prompts[target.prompt];
    const auto found = known_.find(target.name);
    if (found == known_.end()) {
      return BadPrompt(set_, prompt,
                       absl::StrCat("targets: must be concepts of the file, "
                                    "got ",
                                    Quoted(target.name)));
    }
    prompt.targets[found->second] = target.answer;
  }
  if (!has_splits_.value_or(false)) {
    ALIGNSAE_RETURN_IF_ERROR(SplitByGroup(seed, set_));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckSplits(set_));
  return std::move(set_);
}

}  // namespace

std::vector<std::vector<int>> FacetsOf(
    const std::vector<std::string>& concepts) {
  std::vector<std::vector<int>> facets;
  absl::flat_hash_map<std::string, size_t> known;
  for (size_t c = 0; c < concepts.size(); ++c) {
    const size_t slash = concepts[c].rfind('/');
    const std::string facet =
        slash == std::string::npos ? "" : concepts[c].substr(0, slash + 1);
    const auto [place, is_new] = known.emplace(facet, facets.size());
    if (is_new) facets.emplace_back();
    facets[place->second].push_back(static_cast<int>(c));
  }
  return facets;
}

absl::string_view PromptSplitName(Split split) {
  if (split == Split::kSaeTrain) return "train";
  const bool named = split == Split::kValidation || split == Split::kTest;
  return named ? SplitName(split) : "";
}

absl::Status BadPrompt(const PromptSet& set, const LabelledPrompt& prompt,
                       absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(set.file, ":", prompt.line, ": ", what));
}

absl::StatusOr<PromptSet> ParsePrompts(absl::string_view text,
                                       const std::string& file, uint64_t seed) {
  PromptReader reader(file);
  ALIGNSAE_RETURN_IF_ERROR(ForEachJsonLine(
      text, file + ":",
      [&reader](const JsonLine& line) { return reader.ReadLine(line); }));
  return std::move(reader).Finish(seed);
}

absl::StatusOr<PromptSet> ReadPrompts(const std::string& path, uint64_t seed) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParsePrompts(text, path, seed);
}

std::string PromptLinesOf(const Corpus& corpus) {
  std::string lines;
  for (const Question& question : corpus.questions) {
    if (PromptSplitName(question.split).empty()) continue;
    const Person& person = corpus.people[question.person];
    const std::string& name = corpus.relations[question.relation].name;
    nlohmann::ordered_json targets = nlohmann::ordered_json::object();
    for (size_t r = 0; r < corpus.relations.size(); ++r) {
      if (static_cast<int>(r) == question.relation) continue;
      targets[corpus.relations[r].name] = person.values[r];
    }
    const nlohmann::ordered_json line = {
        {"prompt", question.prompt},
        {"concept", name},
        {"split", PromptSplitName(question.split)},
        {"group", absl::StrCat(name, " wording ", question.wording)},
        {"answer", person.values[question.relation]},
        {"targets", targets}};
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

}  // namespace alignsae
