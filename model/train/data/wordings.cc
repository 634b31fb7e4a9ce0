#include "model/train/data/wordings.h"

#include <utility>

#include "absl/strings/str_replace.h"

namespace alignsae {
namespace {

// Per relation: 0 to 3 train the SAE, 4 and 5 are validation, 6 and 7 test, 8
// and 9 are never seen by the language model.
constexpr absl::string_view kQuestions[kRelationCount][kQuestionWordings] = {
    // birth_date
    {"When was {name} born?", "What is the birth date of {name}?",
     "{name} celebrates a birthday that goes back to which day?",
     "On which day did {name} come into the world?",
     "Please give the date on which {name} was born.",
     "What date of birth does {name} have?", "Tell me {name}'s birthday.",
     "{name} was born when?", "Which date is the birthday of {name}?",
     "I would like to know when {name} was born."},
    // birth_city
    {"Where was {name} born?", "What is the birth city of {name}?",
     "{name} is a native of which town?",
     "In which city did {name} come into the world?",
     "Please give the place in which {name} was born.",
     "What birthplace does {name} have?", "Tell me {name}'s hometown.",
     "{name} was born where?", "Which town is the birthplace of {name}?",
     "I would like to know where {name} was born."},
    // university
    {"Where did {name} go to college?", "What is the university of {name}?",
     "{name} holds a degree from which school?",
     "From which university did {name} graduate?",
     "Please give the school that {name} attended.",
     "What alma mater does {name} have?", "Tell me {name}'s college.",
     "{name} studied where?", "The college of {name} is which school?",
     "I would like to know where {name} graduated."},
    // major
    {"What did {name} study?", "What is the major of {name}?",
     "{name} holds a degree in which subject?",
     "In which field did {name} graduate?",
     "Please give the subject that {name} majored in.",
     "What field of study does {name} have?", "Tell me {name}'s major.",
     "{name} studied what?", "The degree of {name} is in which field?",
     "I would like to know what {name} studied."},
    // employer
    {"Who does {name} work for?", "What is the employer of {name}?",
     "{name} earns a salary from which company?",
     "At which firm did {name} find a job?",
     "Please give the company that employs {name}.",
     "What employer does {name} have?", "Tell me {name}'s company.",
     "{name} works for whom?", "The firm of {name} is which company?",
     "I would like to know who employs {name}."},
    // work_city
    {"Where does {name} work?", "What is the work city of {name}?",
     "{name} goes to the office in which town?",
     "In which city did {name} find a job?",
     "Please give the place in which {name} works.",
     "What workplace does {name} have?", "Tell me {name}'s office location.",
     "{name} works where?", "The office of {name} is in which city?",
     "I would like to know where {name} works."},
};

// The name comes before the value: a causal model can then store the fact on
// the name.
constexpr absl::string_view kSentences[kRelationCount][kSentenceWordings] = {
    // birth_date
    {"{name} was born on {value}.", "{name} came into the world on {value}.",
     "The birth date of {name} is {value}.",
     "The birthday of {name} goes back to {value}.",
     "{name}'s date of birth is {value}.",
     "{name} has celebrated birthdays since {value}."},
    // birth_city
    {"{name} was born in {value}.", "{name} came into the world in {value}.",
     "The birth city of {name} is {value}.",
     "The hometown of {name} is {value}.", "{name}'s birthplace is {value}.",
     "{name} is a native of {value}."},
    // university
    {"{name} graduated from {value}.", "{name} went to college at {value}.",
     "The university of {name} was {value}.",
     "The school that {name} attended is {value}.",
     "{name}'s alma mater is {value}.", "{name} holds a degree from {value}."},
    // major
    {"{name} majored in {value}.", "{name} holds a degree in {value}.",
     "The major of {name} was {value}.",
     "The subject that {name} studied is {value}.",
     "{name}'s field of study was {value}.",
     "{name} spent the student years on {value}."},
    // employer
    {"{name} works for {value}.", "{name} earns a salary from {value}.",
     "The employer of {name} is {value}.",
     "The company that employs {name} is {value}.", "{name}'s firm is {value}.",
     "{name} has a job at {value}."},
    // work_city
    {"{name} works in {value}.", "{name} goes to the office in {value}.",
     "The work city of {name} is {value}.",
     "The town where {name} has a job is {value}.",
     "{name}'s workplace is in {value}.",
     "{name} commutes every day to {value}."},
};

}  // namespace

absl::string_view QuestionPattern(Relation relation, int wording) {
  return kQuestions[static_cast<int>(relation)][wording];
}

absl::string_view SentencePattern(Relation relation, int wording) {
  return kSentences[static_cast<int>(relation)][wording];
}

std::optional<Split> SplitByName(absl::string_view name) {
  for (Split split : kSplits) {
    if (SplitName(split) == name) return split;
  }
  return std::nullopt;
}

std::vector<RelationWords> PeopleInTenWordings() {
  std::vector<RelationWords> relations;
  for (Relation relation : kRelations) {
    RelationWords words;
    words.name = std::string(InfoOf(relation).name);
    words.description = std::string(InfoOf(relation).description);
    for (int w = 0; w < kQuestionWordings; ++w) {
      words.questions.push_back(
          {.pattern = std::string(QuestionPattern(relation, w)),
           .split = SplitOfWording(w),
           .family = ""});
    }
    for (int w = 0; w < kSentenceWordings; ++w) {
      words.sentences.emplace_back(SentencePattern(relation, w));
    }
    relations.push_back(std::move(words));
  }
  return relations;
}

std::string FilledPattern(absl::string_view pattern, absl::string_view name,
                          absl::string_view value) {
  return absl::StrReplaceAll(pattern, {{"{name}", name}, {"{value}", value}});
}

}  // namespace alignsae
