#include "model/train/eval/stored_prompts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "model/tokenizer/prompt_template.h"

namespace alignsae {
namespace {

constexpr int kPeopleOfEachHalf = 10;
constexpr size_t kMostPrompts = 400;

std::string Fill(const EvalSet& set, const std::string& pattern, int person) {
  return FillTemplate(set.prompt_template, QuestionAbout(set, pattern, person))
      .text;
}

}  // namespace

std::vector<ValidationPrompt> StoredPromptsOf(
    const EvalSet& set, const std::vector<Negative>& negatives) {
  std::vector<ValidationPrompt> prompts;
  const std::vector<int> people = SamplePeople(set, kPeopleOfEachHalf);
  for (int person : people) {
    for (const EvalWording& wording : set.wordings) {
      if (wording.split != Split::kTest) continue;
      ValidationPrompt& added = prompts.emplace_back();
      added.text = Fill(set, wording.pattern, person);
      added.concept_name = set.relations[wording.relation];
      const std::vector<std::string>& answers = set.people[person].answers;
      added.answer = answers[wording.relation];
      for (int r = 0; r < set.relation_count(); ++r) {
        if (r != wording.relation) added.targets[set.relations[r]] = answers[r];
      }
    }
  }
  size_t asked = 0;
  for (const Negative& negative : negatives) {
    if (negative.split != Split::kTest || people.empty()) continue;
    prompts.emplace_back().text =
        Fill(set, negative.pattern, people[asked++ % people.size()]);
  }
  return prompts;
}

std::vector<ValidationPrompt> StoredPromptsOf(const PromptSet& set) {
  std::vector<ValidationPrompt> all;
  for (const LabelledPrompt& prompt : set.prompts) {
    if (prompt.split != Split::kTest || prompt.text.empty() ||
        prompt.concepts.size() > 1) {
      continue;
    }
    ValidationPrompt& added = all.emplace_back();
    added.text = prompt.text;
    if (!prompt.concepts.empty()) {
      added.concept_name = set.concepts[prompt.concepts.front()];
    }
    added.answer = prompt.answer;
    added.position = prompt.position;
    added.position_text = prompt.position_text;
    for (const auto& [target, answer] : prompt.targets) {
      added.targets[set.concepts[target]] = answer;
    }
  }
  std::vector<ValidationPrompt> kept;
  const size_t most = std::min(all.size(), kMostPrompts);
  for (size_t i = 0; i < most; ++i) {
    kept.push_back(std::move(all[i * all.size() / most]));
  }
  return kept;
}

}  // namespace alignsae
