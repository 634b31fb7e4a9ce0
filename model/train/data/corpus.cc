#include "model/train/data/corpus.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/base/status_macros.h"
#include "model/train/common/random_order.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/lexicons.h"
#include "model/train/data/people.h"

namespace alignsae {
namespace {

absl::Status CheckOptions(const DataOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  if (options.facts == "hops") {
    return absl::InvalidArgumentError(
        "facts: must be people, countries or relations here, got \"hops\": "
        "questions of two steps are no corpus");
  }
  if (options.people % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "people: must be even (half of them are asked about), got ",
        options.people));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Person>> SubjectsOf(const DataOptions& options) {
  if (options.facts == "countries") return MakeCountries(options);
  if (options.facts == "relations") return MakeManyRelations(options);
  return MakePeople(options);
}

// Each run of as many biographies as there are sentence wordings uses every
// wording of every relation once: no fact is tied to one phrase.
void AppendBiographies(int person_index, Corpus& corpus) {
  CounterRng rng = RandomStream(corpus.options.seed,
                                RandomPurpose::kBiographies, person_index);
  const Person& person = corpus.people[person_index];
  const int relations = static_cast<int>(corpus.relations.size());
  std::vector<std::vector<int>> wordings(relations);
  for (int k = 0; k < corpus.options.biographies_per_person; ++k) {
    for (int r = 0; r < relations; ++r) {
      const int count = static_cast<int>(corpus.relations[r].sentences.size());
      if (k % count == 0) wordings[r] = Permutation(rng, count);
    }
    std::vector<std::string> sentences;
    for (int r : Permutation(rng, relations)) {
      const std::vector<std::string>& patterns = corpus.relations[r].sentences;
      sentences.push_back(
          FilledPattern(patterns[wordings[r][k % patterns.size()]], person.name,
                        person.values[r]));
    }
    for (int begin = 0; begin < relations; begin += kSentencesPerText) {
      const int end = std::min(relations, begin + kSentencesPerText);
      corpus.biographies.push_back(
          {person_index, absl::StrJoin(sentences.begin() + begin,
                                       sentences.begin() + end, " ")});
    }
  }
}

void AppendQuestions(int person_index, Corpus& corpus) {
  const Person& person = corpus.people[person_index];
  for (size_t r = 0; r < corpus.relations.size(); ++r) {
    const std::vector<QuestionWording>& questions =
        corpus.relations[r].questions;
    for (size_t w = 0; w < questions.size(); ++w) {
      corpus.questions.push_back(
          {.person = person_index,
           .relation = static_cast<int>(r),
           .wording = static_cast<int>(w),
           .split = questions[w].split,
           .prompt = absl::StrReplaceAll(
               kPromptTemplate,
               {{"{question}",
                 FilledPattern(questions[w].pattern, person.name)}}),
           .answer = absl::StrCat(" ", person.values[r])});
    }
  }
}

}  // namespace

std::vector<RelationWords> RelationsOf(const DataOptions& options) {
  if (options.facts == "countries") return CountriesInGrammar();
  if (options.facts == "relations") return ManyRelations(options.relations);
  return options.wordings == "grammar" ? PeopleInGrammar()
                                       : PeopleInTenWordings();
}

absl::StatusOr<Corpus> GenerateCorpus(const DataOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckOptions(options));
  Corpus corpus;
  corpus.options = options;
  corpus.relations = RelationsOf(options);
  ALIGNSAE_ASSIGN_OR_RETURN(corpus.people, SubjectsOf(options));
  for (int i = 0; i < options.people; ++i) {
    AppendBiographies(i, corpus);
    AppendQuestions(i, corpus);
  }
  corpus.hash = CorpusHash(corpus);
  return corpus;
}

std::string DescriptionOf(absl::string_view name) {
  for (const RelationInfo& info : kRelationInfo) {
    if (info.name == name) return std::string(info.description);
  }
  for (const RelationInfo& info : kCountryRelationInfo) {
    if (info.name == name) return std::string(info.description);
  }
  return "";
}

}  // namespace alignsae
