// What an evaluation asks: people with their facts, and question wordings with
// their split. A bundle carries it in eval/, so that its figures can be
// measured afresh, and a demo can pick a never-asked person, without the
// training data:
//
//   eval/people.jsonl    {"id", "name", "asked", "facts": {relation: value}}
//   eval/wordings.jsonl  {"relation", "wording", "split", "pattern"}
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <what>"; those of ReadFile.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_EVAL_SET_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_EVAL_SET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/corpus.h"
#include "model/train/data/wordings.h"

namespace alignsae {

struct EvalPerson {
  std::string name;
  bool asked = false;  // Questions about this person trained the model.
  std::vector<std::string> answers;  // One per relation, no blank before.
};

struct EvalWording {
  int relation = 0;  // Index into EvalSet::relations.
  int wording = 0;   // Number of the wording within its relation.
  Split split = Split::kTest;
  std::string pattern;  // With {name}.
};

struct EvalSet {
  std::vector<std::string> relations;  // Concept names, in slot order.
  std::vector<EvalPerson> people;
  std::vector<EvalWording> wordings;
  std::string prompt_template;  // With {question}.

  int relation_count() const { return static_cast<int>(relations.size()); }
};

// Without the wordings that train the language model alone.
EvalSet EvalSetOf(const Corpus& corpus);

bool HasWordings(const EvalSet& set, Split split);

absl::Status WriteEvalSet(const std::string& directory, const EvalSet& set);
absl::StatusOr<EvalSet> ReadEvalSet(const std::string& directory,
                                    absl::string_view prompt_template);

// The first `per_half` people who are asked about and as many who are not, in
// the set's order; 0: everybody. Indices into people, rising.
std::vector<int> SamplePeople(const EvalSet& set, int per_half);

// Stands in a pattern for the name of whoever is asked about.
inline constexpr char kNameMark[] = "{name}";

// `pattern` about people[person], without the prompt template.
std::string QuestionAbout(const EvalSet& set, absl::string_view pattern,
                          int person);

// One prompt of an evaluation.
struct EvalPrompt {
  int person = 0;
  int relation = 0;
  int wording = 0;
  std::vector<int32_t> tokens;  // Template applied.
};

// Every question of `split` about `people`: by person, then wording.
std::vector<EvalPrompt> MakePrompts(const EvalSet& set,
                                    const Tokenizer& tokenizer,
                                    const std::vector<int>& people,
                                    Split split);

// Ids of " " + the answer, as the model was trained to give it.
std::vector<int32_t> AnswerTokens(const Tokenizer& tokenizer,
                                  const std::string& answer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_EVAL_SET_H_
