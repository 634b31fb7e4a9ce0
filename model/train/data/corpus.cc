#include "model/train/data/corpus.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/base/status_macros.h"
#include "model/train/common/random_order.h"
#include "model/train/data/corpus_file.h"
#include "model/train/data/word_lists.h"

namespace alignsae {
namespace {

absl::Status CheckOptions(const DataOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  if (options.people % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "people: must be even (half of them are asked about), got ",
        options.people));
  }
  return absl::OkStatus();
}

template <typename T>
const T& Pick(CounterRng& rng, absl::Span<const T> list) {
  return list[rng.NextBelow(list.size())];
}

Person MakePerson(CounterRng& rng, absl::string_view last_name) {
  Person person;
  person.name = absl::StrCat(Pick(rng, FirstNames()), " ", last_name);
  auto value = [&](Relation relation) -> std::string& {
    return person.values[static_cast<int>(relation)];
  };
  const uint64_t day = 1 + rng.NextBelow(kLastDay);
  const absl::string_view month = Pick(rng, Months());
  const uint64_t year = kFirstYear + rng.NextBelow(kLastYear - kFirstYear + 1);
  value(Relation::kBirthDate) = absl::StrCat(day, " ", month, " ", year);
  const EmployerEntry& employer = Pick(rng, Employers());
  value(Relation::kEmployer) = std::string(employer.name);
  value(Relation::kWorkCity) = std::string(employer.city);
  // The two cities differ, so that confusing the two relations always shows.
  absl::string_view birth_city = Pick(rng, Cities());
  while (birth_city == employer.city) birth_city = Pick(rng, Cities());
  value(Relation::kBirthCity) = std::string(birth_city);
  value(Relation::kUniversity) = std::string(Pick(rng, Universities()));
  value(Relation::kMajor) = std::string(Pick(rng, Majors()));
  return person;
}

std::vector<Person> MakePeople(const DataOptions& options) {
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kPeople, 0);
  const std::vector<int> last_names =
      Permutation(rng, static_cast<int>(LastNames().size()));
  const std::vector<int> asked_rank = Permutation(rng, options.people);
  std::vector<Person> people;
  people.reserve(options.people);
  for (int i = 0; i < options.people; ++i) {
    people.push_back(MakePerson(rng, LastNames()[last_names[i]]));
    people.back().asked = asked_rank[i] < options.people / 2;
  }
  return people;
}

// Each run of kSentenceWordings biographies uses every wording of every
// relation once: no fact is tied to one phrase.
void AppendBiographies(const DataOptions& options, int person_index,
                       const Person& person, std::vector<Biography>& out) {
  CounterRng rng =
      RandomStream(options.seed, RandomPurpose::kBiographies, person_index);
  std::array<std::vector<int>, kRelationCount> wordings;
  for (int k = 0; k < options.biographies_per_person; ++k) {
    if (k % kSentenceWordings == 0) {
      for (auto& order : wordings) order = Permutation(rng, kSentenceWordings);
    }
    std::vector<std::string> sentences;
    for (int r : Permutation(rng, kRelationCount)) {
      const Relation relation = kRelations[r];
      sentences.push_back(SentenceText(relation,
                                       wordings[r][k % kSentenceWordings],
                                       person.name, person.value(relation)));
    }
    out.push_back({person_index, absl::StrJoin(sentences, " ")});
  }
}

void AppendQuestions(int person_index, const Person& person,
                     std::vector<Question>& out) {
  for (Relation relation : kRelations) {
    for (int wording = 0; wording < kQuestionWordings; ++wording) {
      out.push_back(
          {.person = person_index,
           .relation = relation,
           .wording = wording,
           .split = SplitOfWording(wording),
           .prompt = absl::StrReplaceAll(
               kPromptTemplate,
               {{"{question}", QuestionText(relation, wording, person.name)}}),
           .answer = absl::StrCat(" ", person.value(relation))});
    }
  }
}

}  // namespace

absl::StatusOr<Corpus> GenerateCorpus(const DataOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckOptions(options));
  Corpus corpus;
  corpus.options = options;
  corpus.people = MakePeople(options);
  for (int i = 0; i < options.people; ++i) {
    AppendBiographies(options, i, corpus.people[i], corpus.biographies);
    AppendQuestions(i, corpus.people[i], corpus.questions);
  }
  corpus.hash = CorpusHash(corpus);
  return corpus;
}

}  // namespace alignsae
