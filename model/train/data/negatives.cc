#include "model/train/data/negatives.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/prompt_template.h"

namespace alignsae {
namespace {

// Between the people of two patterns, so that all are asked in turn.
constexpr size_t kStride = 7;

absl::StatusOr<Negative> ReadNegative(const JsonLine& line) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject json,
                            JsonObject::Of(line.value, line.place));
  ALIGNSAE_RETURN_IF_ERROR(json.OnlyKeys({"kind", "split", "pattern"}));
  Negative negative;
  ALIGNSAE_ASSIGN_OR_RETURN(negative.kind, json.String("kind"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string split, json.String("split"));
  ALIGNSAE_ASSIGN_OR_RETURN(negative.pattern, json.String("pattern"));
  if (negative.kind.empty()) return json.Refuse("kind", "not empty", "\"\"");
  if (negative.pattern.empty()) {
    return json.Refuse("pattern", "not empty", "\"\"");
  }
  for (Split known : {Split::kValidation, Split::kTest}) {
    if (split != SplitName(known)) continue;
    negative.split = known;
    return negative;
  }
  return json.Refuse("split", "validation or test", Quoted(split));
}

}  // namespace

absl::StatusOr<std::vector<Negative>> ParseNegatives(absl::string_view text,
                                                     const std::string& file) {
  std::vector<Negative> negatives;
  std::set<std::string> patterns;
  ALIGNSAE_RETURN_IF_ERROR(ForEachJsonLine(
      text, file + ":", [&](const JsonLine& line) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(Negative negative, ReadNegative(line));
        if (!patterns.insert(negative.pattern).second) {
          return absl::InvalidArgumentError(
              absl::StrCat(line.place, ": pattern: must be there once, got ",
                           Quoted(negative.pattern), " again"));
        }
        negatives.push_back(std::move(negative));
        return absl::OkStatus();
      }));
  for (Split split : {Split::kValidation, Split::kTest}) {
    const bool has = std::any_of(
        negatives.begin(), negatives.end(),
        [split](const Negative& negative) { return negative.split == split; });
    if (has) continue;
    return absl::InvalidArgumentError(absl::StrCat(file, ": split: must be ",
                                                   SplitName(split),
                                                   " on some line, got none"));
  }
  return negatives;
}

absl::StatusOr<std::vector<Negative>> ReadNegatives(const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseNegatives(text, path);
}

NegativePrompts MakeNegatives(const std::vector<Negative>& negatives,
                              const EvalSet& set, const Tokenizer& tokenizer,
                              Split split, int names) {
  NegativePrompts made;
  for (size_t i = 0; i < negatives.size(); ++i) {
    const Negative& negative = negatives[i];
    if (negative.split != split) continue;
    const size_t people = set.people.size();
    const bool named =
        absl::StrContains(negative.pattern, kNameMark) && people > 0;
    const size_t times =
        named ? std::min(people, static_cast<size_t>(names)) : 1;
    for (size_t n = 0; n < times; ++n) {
      const size_t person =
          (i * kStride + n * people / times) % std::max<size_t>(people, 1);
      const std::string question =
          named ? QuestionAbout(set, negative.pattern, static_cast<int>(person))
                : negative.pattern;
      const FilledTemplate prompt = FillTemplate(set.prompt_template, question);
      PositionedPrompt& added = made.prompts.emplace_back();
      added.tokens =
          tokenizer.Encode(prompt.text, {.special_in = prompt.of_template});
      added.position = static_cast<int>(added.tokens.size()) - 1;
      made.kinds.push_back(negative.kind);
    }
  }
  return made;
}

}  // namespace alignsae
