// Subjects (people, countries), what texts tell about them, and the questions
// about them: the data that a language model and its AlignSAE are trained and
// measured on.
//
// Half of the subjects are never asked about in training, so that answering
// about them shows composition of subject and relation and not memorised
// answers.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT names the option and its rule.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(Corpus corpus, GenerateCorpus({.people = 200}));
//   corpus.questions.front().prompt;

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/train/common/option_fields.h"
#include "model/train/data/relations.h"
#include "model/train/data/wordings.h"

namespace alignsae {

struct DataOptions {
  std::string facts = "people";
  std::string wordings = "ten";
  int people = 200;                // Even, in [2, 278].
  int biographies_per_person = 6;  // [1, 1000].
  int relations = 6;               // Of "relations" alone.
  uint64_t seed = 1;

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("facts", self.facts,
          Choices{"people", "countries", "relations", "hops"},
          "people: invented, six relations; countries: real, five; relations: "
          "invented people with as many as --relations says; hops: questions "
          "of two steps (`data` alone, by its --hop flags and --seed)");
    visit("wordings", self.wordings, Choices{"ten", "grammar"},
          "Of questions about people: ten by hand of each relation, or a "
          "grammar's (the other facts always have the grammar's)");
    visit("people", self.people, Range{2, 278},
          "People, or countries; an even number");
    visit("biographies_per_person", self.biographies_per_person, Range{1, 1000},
          "How often the facts of each are told");
    visit("relations", self.relations, Range{2, 100},
          "Relations of --facts relations");
    visit("seed", self.seed, kSeedRange, "Of people and biographies");
  }
};

// Who, or what, is asked about.
struct Person {
  std::string name;
  bool asked = false;               // Questions about it train the model.
  std::vector<std::string> values;  // By relation.

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
  int relation = 0;  // Index into Corpus::relations.
  int wording = 0;   // Index into its questions.
  Split split = Split::kSaeTrain;
  std::string prompt;  // The prompt template applied.
  std::string answer;  // Starts with a blank; the model ends it with eos.
};

struct Corpus {
  DataOptions options;
  std::vector<RelationWords> relations;
  std::vector<Person> people;
  std::vector<Biography> biographies;  // By person, then in order of writing.
  std::vector<Question> questions;     // By person, relation, wording.
  // Decides the whole content: SHA-256 of data.json as written or read.
  std::string hash;
};

// A biography of many relations is told in several texts.
inline constexpr int kSentencesPerText = 6;

// The relations with their wordings: a function of facts, wordings and
// relations.
std::vector<RelationWords> RelationsOf(const DataOptions& options);

absl::StatusOr<Corpus> GenerateCorpus(const DataOptions& options);

// What relation `name` of people or countries means; empty for another.
std::string DescriptionOf(absl::string_view name);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_H_
