#include "model/train/data/lm_texts.h"

#include <utility>

namespace alignsae {

LmTexts LmTextsOf(const Corpus& corpus) {
  LmTexts texts;
  texts.hash = corpus.hash;
  for (const RelationWords& words : corpus.relations) {
    texts.groups.push_back(words.name);
  }
  for (const Biography& biography : corpus.biographies) {
    texts.texts.push_back(biography.text);
  }
  int fact_of = -1;  // Person and relation of the last fact.
  for (const Question& question : corpus.questions) {
    const bool asked = corpus.people[question.person].asked;
    const LmQuestion text = {question.prompt, question.answer};
    if (asked && LmSees(question.split)) {
      const int fact =
          question.person * static_cast<int>(corpus.relations.size()) +
          question.relation;
      if (fact != fact_of) texts.facts.emplace_back();
      fact_of = fact;
      texts.facts.back().push_back(text);
    }
    if (question.split == Split::kLmOnly) continue;
    texts.probes.push_back({.question = text,
                            .split = question.split,
                            .asked = asked,
                            .subject = question.person,
                            .group = question.relation});
  }
  return texts;
}

}  // namespace alignsae
