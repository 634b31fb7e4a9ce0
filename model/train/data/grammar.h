// Many wordings of a relation's question, from a few words of it.
//
// A lexicon has a relation's nouns ("birth date"), and its clauses in several
// orders; the grammar puts them into frames ("Please tell me the {noun} of
// {name}."). A frame belongs to a syntactic family, and families decide what a
// wording is for:
//
//   question, command, fragment,     train the language model; some of each
//   possessive, inverted, embedded,  train the SAE too
//   chatty, noisy
//   passive                          validation: the SAE never sees it
//   polite, topic                    test: the SAE never sees them
//   need, cleft, conditional         families: nobody sees them
//
// Of a relation's nouns, the last that is known stands in no wording that
// trains the SAE; held-out nouns stand in no question at all ("synonyms"; the
// language model reads them in texts). A noisy wording has random words around
// it, so that a model learns to look past words that it does not know.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_GRAMMAR_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_GRAMMAR_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/train/data/wordings.h"

namespace alignsae {

// Each text but the nouns has {name} in it.
struct Lexicon {
  std::string name = {};
  std::string description = {};
  std::vector<std::string> nouns = {};       // "birth date"; two or more.
  std::vector<std::string> held_nouns = {};  // Said in `sentences` alone.
  std::vector<std::string> asks = {};        // "When was {name} born"
  std::vector<std::string> embeds = {};      // "when {name} was born"
  std::vector<std::string> in_place = {};    // "{name} was born when"
  std::vector<std::string> passives = {};    // "By whom is {name} employed"
  std::vector<std::string> unseen = {};      // Whole wordings.
  std::vector<std::string> by_hand = {};     // Whole wordings.
  std::vector<std::string> sentences = {};   // With {value} too.
};

// Of the families that nobody sees, and of synonyms, no more than this.
inline constexpr int kMeasuredWordings = 8;
// Of each family that trains the SAE.
inline constexpr int kSaeWordingsPerFamily = 3;
inline constexpr int kNoisyWordings = 12;

// `number` is the relation's: it decides the noise.
RelationWords WordsOf(const Lexicon& lexicon, int number);

// In the order of wordings.
std::vector<std::string> GrammarFamilies();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_GRAMMAR_H_
