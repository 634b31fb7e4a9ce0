#include "model/train/data/prompt_split.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/common/random_order.h"

namespace alignsae {
namespace {

constexpr Split kPromptSplits[] = {Split::kSaeTrain, Split::kValidation,
                                   Split::kTest};

// The same prompt read at the same place.
std::string PromptKey(const LabelledPrompt& prompt) {
  std::string key = absl::StrCat("prompt ", prompt.text, "\n", prompt.position,
                                 "\n", prompt.position_text, "\n");
  for (int32_t id : prompt.token_ids) absl::StrAppend(&key, id, ",");
  return key;
}

std::string GroupKey(const LabelledPrompt& prompt) {
  return prompt.group.empty() ? PromptKey(prompt)
                              : absl::StrCat("group ", prompt.group);
}

std::string NamesOf(const PromptSet& set, const std::vector<int>& concepts) {
  if (concepts.empty()) return "null";
  std::string names;
  for (int c : concepts) {
    absl::StrAppend(&names, names.empty() ? "" : ", ", set.concepts[c]);
  }
  return Quoted(names);
}

// No two prompts with one key are in different splits.
absl::Status CheckOneSplit(const PromptSet& set, absl::string_view field,
                           std::string (*key)(const LabelledPrompt&)) {
  std::map<std::string, const LabelledPrompt*> first;
  for (const LabelledPrompt& prompt : set.prompts) {
    const LabelledPrompt& other =
        *first.emplace(key(prompt), &prompt).first->second;
    if (other.split == prompt.split) continue;
    return BadPrompt(
        set, prompt,
        absl::StrCat(field, ": must be in one split only, got ",
                     PromptSplitName(prompt.split), " here and ",
                     PromptSplitName(other.split), " on line ", other.line));
  }
  return absl::OkStatus();
}

const LabelledPrompt& FirstOf(const PromptSet& set, int concept_index) {
  return *std::find_if(set.prompts.begin(), set.prompts.end(),
                       [&](const LabelledPrompt& prompt) {
                         return std::binary_search(prompt.concepts.begin(),
                                                   prompt.concepts.end(),
                                                   concept_index);
                       });
}

absl::Status CheckCounts(const PromptSet& set) {
  std::map<Split, std::vector<int>> counts;
  for (Split split : kPromptSplits)
    counts[split].assign(set.concepts.size(), 0);
  for (const LabelledPrompt& prompt : set.prompts) {
    for (int c : prompt.concepts) ++counts[prompt.split][c];
  }
  const std::vector<int>& train = counts[Split::kSaeTrain];
  const int most = static_cast<int>(
      std::max_element(train.begin(), train.end()) - train.begin());
  for (int c = 0; c < static_cast<int>(set.concepts.size()); ++c) {
    const std::string name = Quoted(set.concepts[c]);
    for (Split split : kPromptSplits) {
      if (counts[split][c] > 0) continue;
      return BadPrompt(set, FirstOf(set, c),
                       absl::StrCat("concept: must have prompts in every "
                                    "split, got none of ",
                                    name, " in ", PromptSplitName(split)));
    }
    if (train[most] <= kMaxImbalance * train[c]) continue;
    return BadPrompt(
        set, FirstOf(set, c),
        absl::StrCat("concept: must have at least 1/", kMaxImbalance,
                     " of the training prompts of any other, got ", train[c],
                     " of ", name, " and ", train[most], " of ",
                     Quoted(set.concepts[most])));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SplitByGroup(uint64_t seed, PromptSet& set) {
  // Groups by the concepts of their first prompt, both in order of appearance.
  std::map<std::string, const LabelledPrompt*> first;
  std::map<std::vector<int>, std::vector<std::string>> groups;
  for (const LabelledPrompt& prompt : set.prompts) {
    const std::string key = GroupKey(prompt);
    if (first.emplace(key, &prompt).second) {
      groups[prompt.concepts].push_back(key);
    }
  }
  std::map<std::string, Split> splits;
  uint64_t stream = 0;
  for (auto& [concepts, keys] : groups) {
    const int count = static_cast<int>(keys.size());
    if (count < 3) {
      return BadPrompt(
          set, *first[keys.front()],
          absl::StrCat("group: must be at least 3 of each concept, got ", count,
                       " of ", NamesOf(set, concepts),
                       "; or give a split on every line"));
    }
    CounterRng rng = RandomStream(seed, RandomPurpose::kPromptSplit, stream++);
    Shuffle(rng, keys);
    const int held_out = std::max(1, count / 5);
    for (int i = 0; i < count; ++i) {
      splits[keys[i]] = i < held_out       ? Split::kTest
                        : i < 2 * held_out ? Split::kValidation
                                           : Split::kSaeTrain;
    }
  }
  for (LabelledPrompt& prompt : set.prompts) {
    prompt.split = splits[GroupKey(prompt)];
  }
  return absl::OkStatus();
}

absl::Status CheckSplits(const PromptSet& set) {
  ALIGNSAE_RETURN_IF_ERROR(CheckOneSplit(set, "prompt", &PromptKey));
  ALIGNSAE_RETURN_IF_ERROR(CheckOneSplit(set, "group", &GroupKey));
  return CheckCounts(set);
}

}  // namespace alignsae
