#include "model/bundle/validation_prompts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/labelled_line.h"
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

absl::StatusOr<ValidationPrompt> PromptOf(const LabelledLine& line,
                                          absl::Span<const Concept> concepts) {
  for (const std::string* absent : {&line.split, &line.group}) {
    if (absent->empty()) continue;
    return line.Refuse("split and group", "absent here", Quoted(*absent));
  }
  if (line.text.empty()) {
    return line.Refuse("prompt", "there", "\"token_ids\" instead");
  }
  ValidationPrompt prompt;
  ALIGNSAE_RETURN_IF_ERROR(line.OneConcept(prompt.concept_name));
  if (!prompt.concept_name.empty() &&
      !IsConcept(concepts, prompt.concept_name)) {
    return line.Refuse("concept", "a concept of the checkpoint",
                       Quoted(prompt.concept_name));
  }
  for (const auto& [name, answer] : line.targets) {
    if (IsConcept(concepts, name)) continue;
    return line.Refuse("targets", "concepts of the checkpoint", Quoted(name));
  }
  prompt.text = line.text;
  prompt.answer = line.answer;
  prompt.targets = line.targets;
  prompt.position = line.position;
  prompt.position_text = line.position_text;
  return prompt;
}

}  // namespace

absl::StatusOr<std::vector<ValidationPrompt>> ReadValidationPrompts(
    const std::string& directory, absl::Span<const Concept> concepts) {
  std::vector<ValidationPrompt> prompts;
  const std::string path = absl::StrCat(directory, "/", kValidationFile);
  if (!FileExists(path)) return prompts;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxBytes));
  ALIGNSAE_RETURN_IF_ERROR(ForEachLabelledLine(
      text, path, [&](const LabelledLine& line) -> absl::Status {
        if (prompts.size() == kMaxValidationPrompts) {
          return absl::InvalidArgumentError(
              absl::StrCat(line.place, ": must be at most ",
                           kMaxValidationPrompts, " prompts, got more"));
        }
        ALIGNSAE_ASSIGN_OR_RETURN(ValidationPrompt prompt,
                                  PromptOf(line, concepts));
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
    ValidationPrompt& added = prompts.emplace_back();
    added.text = stored.text;
    added.concept_name = stored.concept_name;
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
    if (!prompt.position_text.empty()) {
      line["position"] = {{"text", prompt.position_text}};
    } else if (prompt.position != -1) {
      line["position"] = prompt.position;
    }
    if (!prompt.answer.empty()) line["answer"] = prompt.answer;
    if (!prompt.targets.empty()) line["targets"] = prompt.targets;
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

}  // namespace alignsae
