// How questions and sentences are worded, and how questions are split between
// training and measuring.
//
// Each relation of the people has ten wordings written by hand, which differ in
// syntax and not in one word: a readout that holds on an unseen wording has
// understood the question. grammar.h makes many more.
//
// Thread-safety: value types, constants and pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/train/data/relations.h"

namespace alignsae {

enum class Split {
  kSaeTrain,    // Train the SAE; the language model trains on them too.
  kValidation,  // Layer, mode and alpha are chosen on these.
  kTest,        // Figures are reported on these.
  kUnseen,      // Never seen by the language model either.
  // Of the grammar; the language model never sees these three.
  kFamilies,  // Of syntactic families that it never sees in a question.
  kSynonyms,  // Of known families, with a noun that it never sees in one.
  kByHand,    // Written by hand, outside of the grammar.
  kLmOnly,    // Train the language model alone.
};

inline constexpr std::array<Split, 8> kSplits = {
    Split::kSaeTrain, Split::kValidation, Split::kTest,   Split::kUnseen,
    Split::kFamilies, Split::kSynonyms,   Split::kByHand, Split::kLmOnly};

// Figures of these stand beside those of test wordings.
inline constexpr std::array<Split, 4> kHeldOutSplits = {
    Split::kUnseen, Split::kFamilies, Split::kSynonyms, Split::kByHand};

// Whether questions of this split train the language model.
constexpr bool LmSees(Split split) {
  return split == Split::kSaeTrain || split == Split::kValidation ||
         split == Split::kTest || split == Split::kLmOnly;
}

// Its name in files and figures: "sae_train", "validation", "test", "unseen",
// "families", "synonyms", "by_hand", "lm_only".
constexpr absl::string_view SplitName(Split split) {
  constexpr std::array<absl::string_view, kSplits.size()> kNames = {
      "sae_train", "validation", "test",    "unseen",
      "families",  "synonyms",   "by_hand", "lm_only"};
  return kNames[static_cast<int>(split)];
}

std::optional<Split> SplitByName(absl::string_view name);

inline constexpr int kQuestionWordings = 10;  // By hand, of each relation.
inline constexpr int kLmWordings = 8;         // 0 .. 7 train the model.
inline constexpr int kSentenceWordings = 6;   // By hand, of each relation.

inline constexpr absl::string_view kPromptTemplate = "Q: {question}\nA:";

// Of the ten.
constexpr Split SplitOfWording(int wording) {
  if (wording < 4) return Split::kSaeTrain;
  if (wording < 6) return Split::kValidation;
  if (wording < kLmWordings) return Split::kTest;
  return Split::kUnseen;
}

struct QuestionWording {
  std::string pattern;  // With {name} in it.
  Split split = Split::kTest;
  std::string family;  // Of the grammar; empty: written by hand.
};

// A relation, and how it is asked and told.
struct RelationWords {
  std::string name;  // Of the concept.
  std::string description;
  std::vector<QuestionWording> questions;
  std::vector<std::string> sentences;  // With {name} before {value}.
};

// The six relations of the people, with the wordings by hand.
std::vector<RelationWords> PeopleInTenWordings();

// With {name} still in it. `wording` in [0, kQuestionWordings).
absl::string_view QuestionPattern(Relation relation, int wording);
// With {name} and {value} still in it. `wording` in [0, kSentenceWordings).
absl::string_view SentencePattern(Relation relation, int wording);

// `pattern` about `name`, and with `value` where it says so.
std::string FilledPattern(absl::string_view pattern, absl::string_view name,
                          absl::string_view value = "");

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_
