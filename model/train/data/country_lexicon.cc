// How the grammar asks about countries.

#include <string>
#include <vector>

#include "model/train/data/grammar.h"
#include "model/train/data/lexicons.h"

namespace alignsae {
namespace {

Lexicon Capital() {
  return {
      .nouns = {"capital", "capital city", "city of government"},
      .held_nouns = {"seat of government"},
      .asks = {"Which city is the capital of {name}",
               "What city is {name} ruled from",
               "Where does {name} have its government"},
      .embeds = {"which city is the capital of {name}",
                 "what city {name} is ruled from",
                 "where {name} has its government"},
      .in_place = {"{name} is ruled from which city",
                   "{name} has its government where",
                   "{name} has which city as its capital"},
      .passives = {"From which city is {name} governed",
                   "Which city was chosen as the capital of {name}"},
      .by_hand = {"whats the capital of {name}", "Capital of {name} please",
                  "Where do the ministers of {name} sit?",
                  "In which city is the parliament of {name}?",
                  "Name {name}'s capital city for me",
                  "I have a test tomorrow: {name}'s capital?"},
      .sentences = {"The capital of {name} is {value}.",
                    "{name}'s capital city is {value}.",
                    "{name} is governed from {value}.",
                    "{name} has its government in {value}.",
                    "The seat of government of {name} is {value}.",
                    "In {name} the ministers sit in {value}."},
  };
}

Lexicon Currency() {
  return {
      .nouns = {"currency", "money", "currency code"},
      .held_nouns = {"legal tender"},
      .asks = {"What do people pay with in {name}",
               "Which money do shops in {name} take",
               "What does {name} pay with"},
      .embeds = {"what people pay with in {name}",
                 "which money shops in {name} take", "what {name} pays with"},
      .in_place = {"People in {name} pay with what",
                   "Shops in {name} take which money", "{name} pays with what"},
      .passives = {"Which currency is used in {name}",
                   "What money is accepted in {name}"},
      .by_hand = {"What money should I bring to {name}?",
                  "I am going to {name}, what do I pay with?",
                  "Which banknotes do they use in {name}?",
                  "whats the currency in {name}",
                  "What is a coffee in {name} paid in?",
                  "{name} - which money?"},
      .sentences = {"The currency of {name} is {value}.",
                    "{name}'s money is {value}.",
                    "People in {name} pay with {value}.",
                    "Shops in {name} take {value}.",
                    "The legal tender of {name} is {value}.",
                    "In {name} banknotes are in {value}."},
  };
}

Lexicon Continent() {
  return {
      .nouns = {"continent", "part of the world", "world region"},
      .held_nouns = {"landmass"},
      .asks = {"On which continent is {name}", "Where in the world is {name}",
               "On what continent does {name} lie"},
      .embeds = {"on which continent {name} is", "where in the world {name} is",
                 "on what continent {name} lies"},
      .in_place = {"{name} is on which continent",
                   "{name} is where in the world",
                   "{name} lies on what continent"},
      .passives = {"On which continent is {name} found",
                   "With which continent is {name} counted"},
      .by_hand = {"Is {name} in Africa, Asia or somewhere else?",
                  "Where is {name}?", "Where would I find {name} on a globe?",
                  "Which continent does {name} belong to?",
                  "whats the continent of {name}",
                  "{name} - which part of the world?"},
      .sentences = {"The continent of {name} is {value}.",
                    "{name}'s part of the world is {value}.",
                    "{name} lies in {value}.", "A globe has {name} in {value}.",
                    "The landmass of {name} is {value}.",
                    "{name} belongs to {value}."},
  };
}

Lexicon Language() {
  return {
      .nouns = {"language", "main language", "official language"},
      .held_nouns = {"tongue"},
      .asks = {"What do people speak in {name}",
               "Which language do people in {name} speak",
               "What does one speak in {name}"},
      .embeds = {"what people speak in {name}",
                 "which language people in {name} speak",
                 "what one speaks in {name}"},
      .in_place = {"People in {name} speak what",
                   "People in {name} speak which language",
                   "In {name} one speaks what"},
      .passives = {"Which language is spoken in {name}",
                   "What is spoken in {name}"},
      .by_hand = {"Which language should I learn before I go to {name}?",
                  "How do they talk in {name}?", "whats the language in {name}",
                  "What do kids in {name} learn to speak?",
                  "Do they speak English in {name}, or what?",
                  "{name} - which language?"},
      .sentences = {"The language of {name} is {value}.",
                    "{name}'s main language is {value}.",
                    "People in {name} speak {value}.",
                    "Kids in {name} learn {value}.",
                    "The tongue of {name} is {value}.",
                    "In {name} they talk in {value}."},
  };
}

Lexicon CallingCode() {
  return {
      .nouns = {"calling code", "phone prefix", "dialing code"},
      .held_nouns = {"telephone code"},
      .asks = {"How do I call {name} from abroad",
               "Which prefix do I dial for {name}",
               "What do I dial to reach {name}"},
      .embeds = {"how I call {name} from abroad",
                 "which prefix I dial for {name}",
                 "what I dial to reach {name}"},
      .in_place = {"To call {name} I dial what", "To reach {name} I dial what",
                   "A call to {name} starts with which prefix"},
      .passives = {"Which prefix is dialed for {name}",
                   "By which code is {name} reached"},
      .by_hand = {"My friend moved to {name}, how does the number start?",
                  "What goes before a phone number in {name}?",
                  "whats the country code of {name}",
                  "How do I phone somebody in {name}?",
                  "Which code do I need to ring {name}?",
                  "{name} - phone code?"},
      .sentences = {"The calling code of {name} is {value}.",
                    "{name}'s phone prefix is {value}.",
                    "A call to {name} starts with {value}.",
                    "To reach {name} one dials {value}.",
                    "The telephone code of {name} is {value}.",
                    "In {name} a phone number goes behind {value}."},
  };
}

}  // namespace

std::vector<RelationWords> CountriesInGrammar() {
  const Lexicon lexicons[kCountryRelationCount] = {
      Capital(), Currency(), Continent(), Language(), CallingCode()};
  std::vector<RelationWords> relations;
  for (int r = 0; r < kCountryRelationCount; ++r) {
    Lexicon lexicon = lexicons[r];
    lexicon.name = std::string(kCountryRelationInfo[r].name);
    lexicon.description = std::string(kCountryRelationInfo[r].description);
    relations.push_back(WordsOf(lexicon, r));
  }
  return relations;
}

}  // namespace alignsae
