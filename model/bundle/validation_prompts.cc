#include "model/bundle/validation_prompts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxBytes = int64_t{16} << 20;

bool IsConcept(absl::Span<const Concept> concepts, const std::string& name) {
  return std::any_of(
      concepts.begin(), concepts.end(),
      [&name](const Concept& entry) { return entry.name == name; });
}

absl::Status ReadTargets(const JsonObject& json,
                         absl::Span<const Concept> concepts,
                         ValidationPrompt& prompt) {
  if (!json.Has("targets")) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject targets, json.Object("targets"));
  for (const auto& [name, answer] : targets.json().items()) {
    if (!IsConcept(concepts, name)) {
      return json.Refuse("targets", "concepts of the checkpoint", Quoted(name));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.targets[name], targets.String(name));
  }
  return absl::OkStatus();
}

absl::StatusOr<ValidationPrompt> ReadPrompt(
    const JsonLine& line, absl::Span<const Concept> concepts) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject json,
                            JsonObject::Of(line.value, line.place));
  ALIGNSAE_RETURN_IF_ERROR(
      json.OnlyKeys({"prompt", "concept", "answer", "targets"}));
  ValidationPrompt prompt;
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.text, json.String("prompt"));
  if (prompt.text.empty()) return json.Refuse("prompt", "not empty", "\"\"");
  if (!json.json().contains("concept")) {
    return json.Refuse("concept", "a name or null", "nothing");
  }
  if (!json.json()["concept"].is_null()) {
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.concept_name, json.String("concept"));
    if (!IsConcept(concepts, prompt.concept_name)) {
      return json.Refuse("concept", "a concept of the checkpoint",
                         Quoted(prompt.concept_name));
    }
  }
  if (json.Has("answer")) {
    ALIGNSAE_ASSIGN_OR_RETURN(prompt.answer, json.String("answer"));
  }
  ALIGNSAE_RETURN_IF_ERROR(ReadTargets(json, concepts, prompt));
  return prompt;
}

}  // namespace

absl::StatusOr<std::vector<ValidationPrompt>> ReadValidationPrompts(
    const std::string& directory, absl::Span<const Concept> concepts) {
  std::vector<ValidationPrompt> prompts;
  const std::string path = absl::StrCat(directory, "/", kValidationFile);
  if (!FileExists(path)) return prompts;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  ALIGNSAE_RETURN_IF_ERROR(ForEachJsonLine(
      text, path + ":", [&](const JsonLine& line) -> absl::Status {
        if (prompts.size() == kMaxValidationPrompts) {
          return absl::InvalidArgumentError(
              absl::StrCat(line.place, ": must be at most ",
                           kMaxValidationPrompts, " prompts, got more"));
        }
        ALIGNSAE_ASSIGN_OR_RETURN(ValidationPrompt prompt,
                                  ReadPrompt(line, concepts));
        prompts.push_back(std::move(prompt));
        return absl::OkStatus();
      }));
  return prompts;
}

std::vector<ValidationPrompt> ValidationPromptsOf(
    const Manifest& manifest, absl::Span<const Concept> concepts) {
  std::vector<ValidationPrompt> prompts;
  for (const StoredPrompt& stored : manifest.prompts) {
    if (prompts.size() == kMaxValidationPrompts) break;
    if (!IsConcept(concepts, stored.concept_name)) continue;
    prompts.push_back({stored.text, stored.concept_name, "", {}});
  }
  return prompts;
}

std::string ValidationPromptsToJsonl(
    absl::Span<const ValidationPrompt> prompts) {
  std::string lines;
  for (const ValidationPrompt& prompt : prompts) {
    nlohmann::ordered_json line = {{"prompt", prompt.text}};
    if (prompt.concept_name.empty()) {
      line["concept"] = nullptr;
    } else {
      line["concept"] = prompt.concept_name;
    }
    if (!prompt.answer.empty()) line["answer"] = prompt.answer;
    if (!prompt.targets.empty()) line["targets"] = prompt.targets;
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

}  // namespace alignsae
