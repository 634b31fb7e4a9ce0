// The wordings of questions and biography sentences, and how questions are
// split between training the SAE and measuring it.
//
// The ten question wordings of a relation differ in syntax, not in one word: a
// readout that holds on an unseen wording has understood the question.
//
// Thread-safety: constants and pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_

#include <array>
#include <string>

#include "absl/strings/string_view.h"
#include "model/train/data/relations.h"

namespace alignsae {

enum class Split {
  kSaeTrain,    // Train the SAE; the language model trains on them too.
  kValidation,  // Layer, mode and alpha are chosen on these.
  kTest,        // Figures are reported on these.
  kUnseen,      // Never seen by the language model either.
};

inline constexpr int kQuestionWordings = 10;  // Per relation.
inline constexpr int kLmWordings = 8;         // 0 .. 7 train the model.
inline constexpr int kSentenceWordings = 6;   // Per relation.

inline constexpr absl::string_view kPromptTemplate = "Q: {question}\nA:";

constexpr Split SplitOfWording(int wording) {
  if (wording < 4) return Split::kSaeTrain;
  if (wording < 6) return Split::kValidation;
  if (wording < kLmWordings) return Split::kTest;
  return Split::kUnseen;
}

// "sae_train", "validation", "test", "unseen".
constexpr absl::string_view SplitName(Split split) {
  constexpr std::array<absl::string_view, 4> kNames = {
      "sae_train", "validation", "test", "unseen"};
  return kNames[static_cast<int>(split)];
}

// With {name} still in it. `wording` in [0, kQuestionWordings).
absl::string_view QuestionPattern(Relation relation, int wording);
// With {name} and {value} still in it. `wording` in [0, kSentenceWordings).
absl::string_view SentencePattern(Relation relation, int wording);

std::string QuestionText(Relation relation, int wording,
                         absl::string_view name);
std::string SentenceText(Relation relation, int wording, absl::string_view name,
                         absl::string_view value);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_WORDINGS_H_
