// Questions of two steps: "Who is the friend of the report of Avery?" asks for
// the report of Avery (the bridge), and for that person's friend. A knowledge
// base of names and relations, paragraphs that tell it, questions, and the
// labelled prompts that bind a slot to the relation of each step.
//
// Paragraphs have a form:
//   key_first   "The friend of Avery is Dominic.": a causal model can store
//               the fact on the name; six wordings, one person a paragraph
//   authors     "Dominic is the friend of Avery.": the answer before its key,
//               one wording, facts in any order
// Answers are
//   explicit    " Dominic Gerald": the bridge, then the end. Two prompts a
//               question: relation one at the prompt's last token, relation
//               two at the bridge. A target's answer is all that then follows.
//   implicit    " Gerald". One prompt with two concepts, of the facets "first"
//               and "second".
// `phi` questions a fact are learned (drawn at random); the others are never
// seen, and are the validation and the test prompts, half and half.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<option>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_HOPS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_HOPS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/common/option_fields.h"
#include "model/train/data/lm_texts.h"

namespace alignsae {

inline constexpr int kMostHopRelations = 40;
inline constexpr int kMostHopNames = 90;

struct HopOptions {
  int names = 60;
  int relations = 20;
  int facts = 800;
  int questions = 8000;
  double phi = 1.5;
  int paragraphs = 6;
  int one_hop = 0;
  std::string form = "key_first";
  std::string answers = "explicit";
  std::string position = "answer";
  uint64_t seed = 1;  // Not a field of its own: DataOptions::seed.

  template <typename Self, typename Visitor>
  static void VisitFields(Self& self, Visitor&& visit) {
    visit("names", self.names, Range{4, kMostHopNames}, "People");
    visit("relations", self.relations, Range{2, kMostHopRelations},
          "Relations between them");
    visit("facts", self.facts, Range{4, 1e6},
          "Facts: a person and a relation have one value or none");
    visit("questions", self.questions, Range{8, 1e6},
          "Questions of two steps, learned and held out, at most as many as "
          "the facts allow");
    visit("phi", self.phi, Range{0.01, 1000},
          "Questions that are learned, for each fact");
    visit("paragraphs", self.paragraphs, Range{1, 1000},
          "How often every fact is told");
    visit("one_hop", self.one_hop, Range{0, 1},
          "1: questions of one step are learned too, of every fact");
    visit("form", self.form, Choices{"key_first", "authors"},
          "Of sentences: the key first, or the answer first as the authors'");
    visit("answers", self.answers, Choices{"explicit", "implicit"},
          "The bridge and the end, or the end alone");
    visit("position", self.position, Choices{"answer", "key"},
          "Where the first step is bound: the prompt's last token, or the "
          "last token of the name");
  }
};

struct HopFact {
  int name = 0;
  int relation = 0;
  int value = 0;  // Another name.
};

struct HopQuestion {
  int first_relation = 0;   // "the report of Avery"
  int second_relation = 0;  // "the friend of" that person.
  int name = 0;
  int bridge = 0;
  int end = 0;
  Split split = Split::kTest;  // kSaeTrain: learned.
};

struct HopData {
  HopOptions options;
  std::vector<std::string> names;
  std::vector<std::string> relations;
  std::vector<HopFact> facts;  // By name, relation.
  std::vector<HopQuestion> questions;

  // The value of (name, relation), or -1.
  int ValueOf(int name, int relation) const;
};

absl::StatusOr<HopData> GenerateHops(const HopOptions& options);

// What a model learns of it. Probes: learned questions are "asked"; half of
// the others are validation, half test. A group is the second relation.
LmTexts HopTextsOf(const HopData& data);

// The questions as labelled prompts, a line each (prompt_file.h).
std::string HopPromptLines(const HopData& data);

// {"name", "relation", "value"} lines, for other programs.
std::string HopFactLines(const HopData& data);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_HOPS_H_
