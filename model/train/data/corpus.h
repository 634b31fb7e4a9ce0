// Synthetic people, their biographies and the questions about them: the data
// that the demo language model and its AlignSAE are trained and measured on.
//
// Half of the people are never asked about in training, so that answering about
// them shows composition of person and relation and not memorised answers.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT names the option and its rule.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(Corpus corpus, GenerateCorpus({.people = 200}));
//   corpus.questions.front().prompt;

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/common/option_fields.h"
#include "model/train/data/relations.h"
#include "model/train/data/wordings.h"

namespace alignsae {

struct DataOptions {
  int people = 200;                // Even, in [2, 278].
  int biographies_per_person = 6;  // [1, 1000].
  uint64_t seed = 1;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("people", self.people, Range{2, 278}, "People; an even number");
    visit("biographies_per_person", self.biographies_per_person, Range{1, 1000},
          "Biographies of each");
    visit("seed", self.seed, kSeedRange, "Of people and biographies");
  }
};

struct Person {
  std::string name;
  bool asked = false;  // Questions about this person train the model.
  std::array<std::string, kRelationCount> values;

  const std::string& value(Relation relation) const {
    return values[static_cast<int>(relation)];
  }
};

struct Biography {
  int person = 0;
  std::string text;  // Sentences joined by blanks; no end-of-text mark.
};

struct Question {
  int person = 0;
  Relation relation = Relation::kBirthDate;
  int wording = 0;  // [0, kQuestionWordings).
  Split split = Split::kSaeTrain;
  std::string prompt;  // The prompt template applied.
  std::string answer;  // Starts with a blank; the model ends it with eos.
};

struct Corpus {
  DataOptions options;
  std::vector<Person> people;
  std::vector<Biography> biographies;  // By person, then in order of writing.
  std::vector<Question> questions;     // By person, relation, wording.
  // Decides the whole content: SHA-256 of data.json as written or read.
  std::string hash;
};

absl::StatusOr<Corpus> GenerateCorpus(const DataOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_
