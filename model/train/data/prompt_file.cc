#include "model/train/data/prompt_file.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/labelled_line.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/steering/concept.h"
#include "model/train/data/prompt_split.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

// Reads the lines of one file.
class PromptReader {
 public:
  explicit PromptReader(const std::string& file) { set_.file = file; }

  absl::Status Add(LabelledLine line);
  absl::StatusOr<PromptSet> Finish(uint64_t seed) &&;

 private:
  absl::StatusOr<Split> SplitOf(const LabelledLine& line);
  // Index of the concept, which may be new.
  absl::StatusOr<int> ConceptIndex(const LabelledLine& line,
                                   const std::string& name);

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

absl::StatusOr<int> PromptReader::ConceptIndex(const LabelledLine& line,
                                               const std::string& name) {
  if (!IsGoodName(name)) return line.Refuse("concept", kNameRule, Quoted(name));
  const auto [place, is_new] =
      known_.emplace(name, static_cast<int>(set_.concepts.size()));
  if (is_new) set_.concepts.push_back(name);
  return place->second;
}

absl::StatusOr<Split> PromptReader::SplitOf(const LabelledLine& line) {
  const bool has_split = !line.split.empty();
  if (has_splits_.value_or(has_split) != has_split) {
    return line.Refuse("split", "on every line or on none",
                       has_split ? "one here and none on the first line"
                                 : "none here and one on the first line");
  }
  has_splits_ = has_split;
  if (!has_split) return Split::kSaeTrain;  // SplitByGroup decides.
  for (Split split : {Split::kSaeTrain, Split::kValidation, Split::kTest}) {
    if (line.split == PromptSplitName(split)) return split;
  }
  return line.Refuse("split", "train, validation or test", Quoted(line.split));
}

absl::Status PromptReader::Add(LabelledLine line) {
  LabelledPrompt prompt;
  prompt.line = line.number;
  for (const std::string& name : line.concepts) {
    ALIGNSAE_ASSIGN_OR_RETURN(const int index, ConceptIndex(line, name));
    prompt.concepts.push_back(index);
  }
  std::sort(prompt.concepts.begin(), prompt.concepts.end());
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.split, SplitOf(line));
  for (const auto& [name, answer] : line.targets) {
    targets_.push_back({set_.prompts.size(), name, answer});
  }
  prompt.text = std::move(line.text);
  prompt.token_ids = std::move(line.token_ids);
  prompt.position = line.position;
  prompt.position_text = std::move(line.position_text);
  prompt.group = std::move(line.group);
  prompt.answer = std::string(absl::StripLeadingAsciiWhitespace(line.answer));
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
  ALIGNSAE_RETURN_IF_ERROR(ForEachLabelledLine(
      text, file,
      [&reader](LabelledLine line) { return reader.Add(std::move(line)); }));
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
    const int relations = static_cast<int>(corpus.relations.size());
    for (int r = 0; r < relations; ++r) {
      const int behind = (r + relations - question.relation) % relations;
      if (behind == 0 || behind > kMostTargets) continue;
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
