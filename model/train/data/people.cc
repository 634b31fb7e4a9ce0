#include "model/train/data/people.h"

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "model/train/common/random_order.h"
#include "model/train/data/countries.h"
#include "model/train/data/word_lists.h"

namespace alignsae {
namespace {

// Of each relation: few enough that each is told about several people.
constexpr int kInventedValues = 12;

template <typename T>
const T& Pick(CounterRng& rng, absl::Span<const T> list) {
  return list[rng.NextBelow(list.size())];
}

Person MakePerson(CounterRng& rng, absl::string_view last_name) {
  Person person;
  person.name = absl::StrCat(Pick(rng, FirstNames()), " ", last_name);
  person.values.resize(kRelationCount);
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

// The order of last names, and whether person i is asked about.
struct Draw {
  std::vector<int> last_names;
  std::vector<bool> asked;
};

Draw DrawPeople(const DataOptions& options, CounterRng& rng) {
  Draw draw;
  draw.last_names = Permutation(rng, static_cast<int>(LastNames().size()));
  for (int rank : Permutation(rng, options.people)) {
    draw.asked.push_back(rank < options.people / 2);
  }
  return draw;
}

// "Velmora": value `v` of relation `r`, different for each pair.
std::string InventedWord(int r, int v) {
  constexpr absl::string_view kFirst[] = {"Ba", "Ce", "Di", "Fo", "Gu",
                                          "Ha", "Je", "Ki", "Lo", "Mu"};
  constexpr absl::string_view kSecond[] = {"ral", "ven", "dis", "bon", "tur",
                                           "mar", "len", "pin", "gor", "zul"};
  constexpr absl::string_view kThird[] = {"a",   "eth", "ix",  "on",
                                          "um",  "ara", "elo", "ino",
                                          "oma", "usk", "ery", "ant"};
  return absl::StrCat(kFirst[r % 10], kSecond[r / 10 % 10], kThird[v]);
}

}  // namespace

std::vector<Person> MakePeople(const DataOptions& options) {
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kPeople, 0);
  const Draw draw = DrawPeople(options, rng);
  std::vector<Person> people;
  for (int i = 0; i < options.people; ++i) {
    people.push_back(MakePerson(rng, LastNames()[draw.last_names[i]]));
    people.back().asked = draw.asked[i];
  }
  return people;
}

absl::StatusOr<std::vector<Person>> MakeCountries(const DataOptions& options) {
  const absl::Span<const Country> countries = Countries();
  if (options.people > static_cast<int>(countries.size())) {
    return absl::InvalidArgumentError(
        absl::StrCat("people: must be at most ", countries.size(),
                     ", as many countries as there are, got ", options.people));
  }
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kPeople, 1);
  const std::vector<int> order =
      Permutation(rng, static_cast<int>(countries.size()));
  std::vector<Person> people;
  for (int rank : Permutation(rng, options.people)) {
    const Country& country = countries[order[people.size()]];
    Person person;
    person.name = std::string(country.name);
    person.asked = rank < options.people / 2;
    for (absl::string_view value : country.values) {
      person.values.emplace_back(value);
    }
    people.push_back(std::move(person));
  }
  return people;
}

std::vector<Person> MakeManyRelations(const DataOptions& options) {
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kPeople, 2);
  const Draw draw = DrawPeople(options, rng);
  std::vector<Person> people;
  for (int i = 0; i < options.people; ++i) {
    Person person;
    person.name = absl::StrCat(Pick(rng, FirstNames()), " ",
                               LastNames()[draw.last_names[i]]);
    person.asked = draw.asked[i];
    for (int r = 0; r < options.relations; ++r) {
      person.values.push_back(
          InventedWord(r, static_cast<int>(rng.NextBelow(kInventedValues))));
    }
    people.push_back(std::move(person));
  }
  return people;
}

}  // namespace alignsae
