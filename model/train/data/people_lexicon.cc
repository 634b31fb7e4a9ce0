// How the grammar asks about people. Wordings by hand are what somebody types
// who knows neither the grammar nor its words.

#include <string>
#include <utility>
#include <vector>

#include "model/train/data/grammar.h"
#include "model/train/data/lexicons.h"

namespace alignsae {
namespace {

Lexicon BirthDate() {
  return {
      .nouns = {"birth date", "birthday", "date of birth"},
      .held_nouns = {"day of birth"},
      .asks = {"When was {name} born", "On which day was {name} born",
               "On what day did {name} come into the world"},
      .embeds = {"when {name} was born", "on which day {name} was born",
                 "when {name} came into the world"},
      .in_place = {"{name} was born when", "{name} was born on which day",
                   "{name} came into the world when"},
      .passives = {"On which day is {name}'s birthday celebrated",
                   "Which day is celebrated as the birthday of {name}"},
      .by_hand = {"How old is {name}, I mean, born on what day?",
                  "I forgot {name}'s birthday again, help!",
                  "Which day do we bake a cake for {name}?", "{name} - born?",
                  "Day {name} was born on.",
                  "Since when has {name} been alive?"},
      .sentences = {"{name} has a day of birth, which is {value}.",
                    "The day of birth of {name} was {value}.",
                    "People celebrate {name}'s birthday as it was on {value}."},
  };
}

Lexicon BirthCity() {
  return {
      .nouns = {"birth city", "birthplace", "hometown"},
      .held_nouns = {"native town"},
      .asks = {"Where was {name} born", "In which city was {name} born",
               "Where did {name} come into the world"},
      .embeds = {"where {name} was born", "in which city {name} was born",
                 "where {name} came into the world"},
      .in_place = {"{name} was born where", "{name} was born in which city",
                   "{name} came into the world where"},
      .passives = {"Which town is called the hometown of {name}",
                   "By which town is {name} claimed as a native"},
      .by_hand = {"Where does {name} come from originally?",
                  "I forgot {name}'s hometown again, help!",
                  "Which town can call {name} a native?",
                  "{name} - born where?", "City {name} was born in.",
                  "Where did {name}'s life begin?"},
      .sentences = {"{name} has a native town, which is {value}.",
                    "The native town of {name} is {value}.",
                    "People claim {name} as a native in {value}."},
  };
}

Lexicon University() {
  return {
      .nouns = {"university", "college", "school"},
      .held_nouns = {"alma mater"},
      .asks = {"Where did {name} go to college",
               "Which university did {name} attend",
               "From which school did {name} graduate"},
      .embeds = {"where {name} went to college",
                 "which university {name} attended",
                 "from which school {name} graduated"},
      .in_place = {"{name} went to college where",
                   "{name} attended which university",
                   "{name} graduated from which school"},
      .passives = {"Which school was attended by {name}",
                   "By which university was {name} given a degree"},
      .by_hand = {"Where did {name} get a degree?",
                  "What school is on {name}'s diploma?",
                  "On which campus did {name} spend four years?",
                  "{name} - which school?", "University {name} finished at.",
                  "Where was {name} a student?"},
      .sentences = {"{name} has an alma mater, which is {value}.",
                    "The alma mater of {name} is {value}.",
                    "People saw {name} as a student at {value}."},
  };
}

Lexicon Major() {
  return {
      .nouns = {"major", "field of study", "subject"},
      .held_nouns = {"discipline"},
      .asks = {"What did {name} study", "Which subject did {name} study",
               "In which field did {name} graduate"},
      .embeds = {"what {name} studied", "which subject {name} studied",
                 "in which field {name} graduated"},
      .in_place = {"{name} studied what", "{name} majored in what",
                   "{name} graduated in which field"},
      .passives = {"Which subject was studied by {name}",
                   "In which field was {name}'s degree awarded"},
      .by_hand = {"What was {name}'s degree in?",
                  "What did {name} learn at college?",
                  "Which subject kept {name} busy as a student?",
                  "{name} - studied?", "{name} took classes in what, mostly?",
                  "What is {name} trained in?"},
      .sentences = {"{name} has a discipline, which is {value}.",
                    "The discipline of {name} is {value}.",
                    "People trained {name} in {value}."},
  };
}

Lexicon Employer() {
  return {
      .nouns = {"employer", "company", "firm"},
      .held_nouns = {"organization"},
      .asks = {"Who does {name} work for", "Which company does {name} work for",
               "At which firm does {name} have a job"},
      .embeds = {"who {name} works for", "which company {name} works for",
                 "at which firm {name} has a job"},
      .in_place = {"{name} works for whom", "{name} works for which company",
                   "{name} has a job at which firm"},
      .passives = {"By whom is {name} employed",
                   "By which company is {name} paid"},
      .by_hand = {"Who signs {name}'s paychecks?",
                  "Which company hired {name}?", "Whose employee is {name}?",
                  "{name} - works for?", "On whose payroll is {name}?",
                  "Who gives {name} a salary every month?"},
      .sentences = {"{name} has an organization, which is {value}.",
                    "The organization of {name} is {value}.",
                    "People know that {name} is paid by {value}."},
  };
}

Lexicon WorkCity() {
  return {
      .nouns = {"work city", "workplace", "office location"},
      .held_nouns = {"job location"},
      .asks = {"Where does {name} work", "In which city does {name} work",
               "Where does {name} go to the office"},
      .embeds = {"where {name} works", "in which city {name} works",
                 "where {name} goes to the office"},
      .in_place = {"{name} works where", "{name} works in which city",
                   "{name} goes to the office where"},
      .passives = {"In which city is {name} employed",
                   "To which town is {name} sent to work"},
      .by_hand = {"Which city does {name} commute to?",
                  "Where's {name}'s office?", "In what town is {name}'s desk?",
                  "{name} - office where?", "City {name} works in.",
                  "Where would I visit {name} at work?"},
      .sentences = {"{name} has a job location, which is {value}.",
                    "The job location of {name} is {value}.",
                    "People meet {name} at work in {value}."},
  };
}

}  // namespace

std::vector<RelationWords> PeopleInGrammar() {
  const Lexicon lexicons[] = {BirthDate(), BirthCity(), University(),
                              Major(),     Employer(),  WorkCity()};
  std::vector<RelationWords> relations;
  for (Relation relation : kRelations) {
    Lexicon lexicon = lexicons[static_cast<int>(relation)];
    lexicon.name = std::string(InfoOf(relation).name);
    lexicon.description = std::string(InfoOf(relation).description);
    for (int w = 0; w < kQuestionWordings; ++w) {
      if (SplitOfWording(w) != Split::kUnseen) continue;
      lexicon.unseen.emplace_back(QuestionPattern(relation, w));
    }
    std::vector<std::string> sentences;
    for (int w = 0; w < kSentenceWordings; ++w) {
      sentences.emplace_back(SentencePattern(relation, w));
    }
    sentences.insert(sentences.end(), lexicon.sentences.begin(),
                     lexicon.sentences.end());
    lexicon.sentences = std::move(sentences);
    relations.push_back(WordsOf(lexicon, static_cast<int>(relation)));
  }
  return relations;
}

}  // namespace alignsae
