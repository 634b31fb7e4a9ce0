#include "model/train/data/eval_set.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/prompt_template.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kPeopleFile[] = "people.jsonl";
constexpr char kWordingsFile[] = "wordings.jsonl";

absl::Status BadLine(const std::string& path, size_t line,
                     absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", line, ": ", what));
}

absl::Status ForEachLine(
    const std::string& path,
    const std::function<absl::Status(const nlohmann::json&)>& read) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string contents, ReadFile(path));
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(contents, '\n')) {
    ++number;
    if (line.empty()) continue;
    absl::StatusOr<nlohmann::json> json = ParseJson(line);
    if (!json.ok()) return BadLine(path, number, json.status().message());
    if (!json->is_object()) return BadLine(path, number, "must be an object");
    const absl::Status status = read(*json);
    if (!status.ok()) return BadLine(path, number, status.message());
  }
  if (number < 2) return absl::InvalidArgumentError(path + ": must have lines");
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextAt(const nlohmann::json& object,
                                   const std::string& key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string() ||
      it->get_ref<const std::string&>().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, ": must be a text that is not empty"));
  }
  return it->get<std::string>();
}

int RelationIndex(const EvalSet& set, const std::string& name) {
  for (int r = 0; r < set.relation_count(); ++r) {
    if (set.relations[r] == name) return r;
  }
  return -1;
}

// Relations are numbered in the order in which the wordings name them, which is
// the order of the slots.
absl::Status AddWording(const nlohmann::json& line, EvalSet& set) {
  EvalWording wording;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string relation,
                            TextAt(line, "relation"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string split, TextAt(line, "split"));
  const std::optional<Split> known = SplitByName(split);
  if (!known.has_value() || *known == Split::kLmOnly) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split: must be sae_train, validation, test, unseen, families, "
        "synonyms or by_hand, got ",
        Quoted(split)));
  }
  wording.split = *known;
  ALIGNSAE_ASSIGN_OR_RETURN(wording.pattern, TextAt(line, "pattern"));
  if (!absl::StrContains(wording.pattern, kNameMark)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "pattern: must contain {name}, got ", Quoted(wording.pattern)));
  }
  const auto number = line.find("wording");
  if (number == line.end() || !number->is_number_unsigned() ||
      number->get<uint64_t>() > 1000) {
    return absl::InvalidArgumentError("wording: must be in [0, 1000]");
  }
  wording.wording = number->get<int>();
  wording.relation = RelationIndex(set, relation);
  if (wording.relation < 0) {
    wording.relation = set.relation_count();
    set.relations.push_back(relation);
  }
  set.wordings.push_back(std::move(wording));
  return absl::OkStatus();
}

absl::Status AddPerson(const nlohmann::json& line, EvalSet& set) {
  EvalPerson person;
  ALIGNSAE_ASSIGN_OR_RETURN(person.name, TextAt(line, "name"));
  const auto asked = line.find("asked");
  if (asked == line.end() || !asked->is_boolean()) {
    return absl::InvalidArgumentError("asked: must be true or false");
  }
  person.asked = asked->get<bool>();
  const auto facts = line.find("facts");
  if (facts == line.end() || !facts->is_object()) {
    return absl::InvalidArgumentError("facts: must be an object");
  }
  for (const std::string& relation : set.relations) {
    ALIGNSAE_ASSIGN_OR_RETURN(std::string answer, TextAt(*facts, relation));
    person.answers.push_back(std::move(answer));
  }
  set.people.push_back(std::move(person));
  return absl::OkStatus();
}

}  // namespace

EvalSet EvalSetOf(const Corpus& corpus) {
  EvalSet set;
  set.prompt_template = std::string(kPromptTemplate);
  for (const RelationWords& words : corpus.relations) {
    const int relation = set.relation_count();
    set.relations.push_back(words.name);
    for (size_t w = 0; w < words.questions.size(); ++w) {
      if (words.questions[w].split == Split::kLmOnly) continue;
      set.wordings.push_back({.relation = relation,
                              .wording = static_cast<int>(w),
                              .split = words.questions[w].split,
                              .pattern = words.questions[w].pattern});
    }
  }
  for (const Person& person : corpus.people) {
    set.people.push_back(
        {.name = person.name, .asked = person.asked, .answers = person.values});
  }
  return set;
}

absl::Status WriteEvalSet(const std::string& directory, const EvalSet& set) {
  std::string people;
  for (size_t i = 0; i < set.people.size(); ++i) {
    const EvalPerson& person = set.people[i];
    Json facts = Json::object();
    for (int r = 0; r < set.relation_count(); ++r) {
      facts[set.relations[r]] = person.answers[r];
    }
    const Json line = {{"id", i},
                       {"name", person.name},
                       {"asked", person.asked},
                       {"facts", facts}};
    absl::StrAppend(&people, line.dump(), "\n");
  }
  std::string wordings;
  for (const EvalWording& wording : set.wordings) {
    const Json line = {{"relation", set.relations[wording.relation]},
                       {"wording", wording.wording},
                       {"split", SplitName(wording.split)},
                       {"pattern", wording.pattern}};
    absl::StrAppend(&wordings, line.dump(), "\n");
  }
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(directory, "/", kPeopleFile), people));
  return WriteFileAtomically(absl::StrCat(directory, "/", kWordingsFile),
                             wordings);
}

absl::StatusOr<EvalSet> ReadEvalSet(const std::string& directory,
                                    absl::string_view prompt_template) {
  EvalSet set;
  set.prompt_template = std::string(prompt_template);
  ALIGNSAE_RETURN_IF_ERROR(ForEachLine(
      absl::StrCat(directory, "/", kWordingsFile),
      [&](const nlohmann::json& line) { return AddWording(line, set); }));
  ALIGNSAE_RETURN_IF_ERROR(ForEachLine(
      absl::StrCat(directory, "/", kPeopleFile),
      [&](const nlohmann::json& line) { return AddPerson(line, set); }));
  return set;
}

bool HasWordings(const EvalSet& set, Split split) {
  return std::any_of(
      set.wordings.begin(), set.wordings.end(),
      [split](const EvalWording& wording) { return wording.split == split; });
}

std::string QuestionAbout(const EvalSet& set, absl::string_view pattern,
                          int person) {
  return absl::StrReplaceAll(pattern, {{kNameMark, set.people[person].name}});
}

std::vector<int> SamplePeople(const EvalSet& set, int per_half) {
  std::vector<int> people;
  int taken[2] = {0, 0};
  for (size_t i = 0; i < set.people.size(); ++i) {
    int& half = taken[set.people[i].asked ? 1 : 0];
    if (per_half > 0 && half >= per_half) continue;
    ++half;
    people.push_back(static_cast<int>(i));
  }
  return people;
}

std::vector<EvalPrompt> MakePrompts(const EvalSet& set,
                                    const Tokenizer& tokenizer,
                                    const std::vector<int>& people,
                                    Split split) {
  std::vector<EvalPrompt> prompts;
  for (int person : people) {
    for (const EvalWording& wording : set.wordings) {
      if (wording.split != split) continue;
      const std::string question = QuestionAbout(set, wording.pattern, person);
      const FilledTemplate prompt = FillTemplate(set.prompt_template, question);
      prompts.push_back({.person = person,
                         .relation = wording.relation,
                         .wording = wording.wording,
                         .tokens = tokenizer.Encode(
                             prompt.text, {.special_in = prompt.of_template})});
    }
  }
  return prompts;
}

std::vector<int32_t> AnswerTokens(const Tokenizer& tokenizer,
                                  const std::string& answer) {
  return tokenizer.Encode(absl::StrCat(" ", answer));
}

}  // namespace alignsae
