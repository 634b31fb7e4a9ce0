// A hundred relations for studies of many concepts: things that somebody has,
// each with an invented name.

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/train/data/grammar.h"
#include "model/train/data/lexicons.h"

namespace alignsae {
namespace {

constexpr int kMostRelations = 100;

constexpr absl::string_view kThings[kMostRelations] = {
    "boat",     "pet",     "garden",   "hobby",    "dentist",   "recipe",
    "bicycle",  "cottage", "pupil",    "rival",    "sponsor",   "uncle",
    "guitar",   "wallet",  "lantern",  "horse",    "barber",    "client",
    "landlord", "bakery",  "festival", "perfume",  "orchard",   "tractor",
    "kitchen",  "sister",  "captain",  "novel",    "tavern",    "village",
    "mentor",   "coach",   "tailor",   "puzzle",   "violin",    "carpet",
    "soup",     "planet",  "castle",   "museum",   "theater",   "painter",
    "cousin",   "doctor",  "lawyer",   "gardener", "plumber",   "butcher",
    "florist",  "jeweler", "printer",  "camera",   "telescope", "compass",
    "umbrella", "jacket",  "sweater",  "necklace", "bracelet",  "ring",
    "clock",    "mirror",  "pillow",   "blanket",  "candle",    "teapot",
    "kettle",   "spoon",   "hammer",   "ladder",   "shovel",    "wagon",
    "saddle",   "canoe",   "kite",     "drum",     "flute",     "trumpet",
    "anthem",   "proverb", "poem",     "legend",   "statue",    "fountain",
    "bridge",   "harbor",  "island",   "meadow",   "forest",    "canyon",
    "glacier",  "volcano", "comet",    "crystal",  "mineral",   "fossil",
    "mushroom", "orchid",  "falcon",   "dolphin"};

Lexicon LexiconOf(const std::string& thing) {
  const auto with = [&thing](std::initializer_list<const char*> patterns) {
    std::vector<std::string> texts;
    for (const char* pattern : patterns) {
      texts.push_back(absl::StrReplaceAll(pattern, {{"{thing}", thing}}));
    }
    return texts;
  };
  return {
      .name = thing,
      .description = absl::StrCat("The ", thing, " of a person."),
      .nouns = with({"{thing}", "own {thing}", "favorite {thing}"}),
      .held_nouns = with({"registered {thing}"}),
      .asks = with({"Which {thing} does {name} have",
                    "What {thing} did {name} choose",
                    "Which {thing} would {name} call the best"}),
      .embeds = with({"which {thing} {name} has", "what {thing} {name} chose",
                      "which {thing} {name} would call the best"}),
      .in_place = with({"{name} has which {thing}", "{name} chose what {thing}",
                        "{name} talks of which {thing}"}),
      .passives = with({"Which {thing} was chosen by {name}",
                        "What {thing} is shown by {name}"}),
      .by_hand = with({"And {name}'s {thing}, how is it called?",
                       "I forgot {name}'s {thing} again, help!",
                       "{name} - {thing}?", "Whats the {thing} {name} has",
                       "About which {thing} does {name} talk all day?"}),
      .sentences = with({"The {thing} of {name} is {value}.",
                         "{name}'s {thing} is {value}.",
                         "{name} has a {thing}, which is {value}.",
                         "The favorite {thing} of {name} is {value}.",
                         "{name}'s registered {thing} is {value}.",
                         "{name} chose a {thing} and it was {value}."}),
  };
}

}  // namespace

std::vector<RelationWords> ManyRelations(int count) {
  std::vector<RelationWords> relations;
  for (int r = 0; r < count; ++r) {
    RelationWords words = WordsOf(LexiconOf(std::string(kThings[r])), r);
    // Every fifth of the wordings for the language model alone: a hundred
    // relations have questions enough.
    int seen = 0;
    std::erase_if(words.questions, [&seen](const QuestionWording& wording) {
      return wording.split == Split::kLmOnly && seen++ % 5 != 0;
    });
    relations.push_back(std::move(words));
  }
  return relations;
}

}  // namespace alignsae
