// What a language model learns: texts as they are, and questions by their
// answers; and what it is asked to show that it has. Data of every kind become
// this (corpus.h, hops.h).
//
// Thread-safety: value types; free functions.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_LM_TEXTS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_LM_TEXTS_H_

#include <string>
#include <vector>

#include "model/train/data/corpus.h"
#include "model/train/data/wordings.h"

namespace alignsae {

// A question with its answer, which starts with a blank.
struct LmQuestion {
  std::string prompt;
  std::string answer;
};

// What is asked to see how well a model answers.
struct ProbeQuestion {
  LmQuestion question;
  Split split = Split::kTest;
  // Whether questions of its kind are learned: about this person, or, of two
  // hops, this very one.
  bool asked = false;
  int subject = 0;  // Rising, in each half: a probe may ask about the first.
  int group = 0;    // Index into LmTexts::groups.
};

struct LmTexts {
  std::vector<std::string> texts;
  // [fact][wording]: an epoch draws some wordings of every fact.
  std::vector<std::vector<LmQuestion>> facts;
  std::vector<ProbeQuestion> probes;
  std::vector<std::string> groups;  // What accuracy is told by: relations.
  std::string hash;                 // Decides the whole content.
};

// The biographies; the facts of people who are asked about, in the wordings
// that LmSees; every measured wording of everybody as a probe.
LmTexts LmTextsOf(const Corpus& corpus);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_LM_TEXTS_H_
