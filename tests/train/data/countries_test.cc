// The table of countries, and the corpus of them.

#include "model/train/data/countries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "model/train/data/corpus.h"
#include "model/train/pipeline/presets.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Country& Named(absl::string_view name) {
  return *std::find_if(
      Countries().begin(), Countries().end(),
      [name](const Country& country) { return country.name == name; });
}

TEST(CountriesTest, TheTableSaysWhereItComesFromAndIsSmall) {
  EXPECT_THAT(std::string(CountriesTable()), HasSubstr("MIT licence"));
  EXPECT_THAT(std::string(CountriesTable()), HasSubstr("countries-list"));
  EXPECT_LE(CountriesTable().size(), 30u << 10);
}

TEST(CountriesTest, HoldsFactsThatAnybodyCanCheck) {
  EXPECT_THAT(Named("France").values,
              ElementsAre("Paris", "EUR", "Europe", "French", "+33"));
  EXPECT_THAT(Named("Japan").values,
              ElementsAre("Tokyo", "JPY", "Asia", "Japanese", "+81"));
  EXPECT_THAT(
      Named("Brazil").values,
      ElementsAre("Brasília", "BRL", "South America", "Portuguese", "+55"));
}

TEST(CountriesTest, EachCountryIsThereOnceAndWhole) {
  std::set<absl::string_view> names, continents;
  for (const Country& country : Countries()) {
    EXPECT_TRUE(names.insert(country.name).second) << country.name;
    for (absl::string_view value : country.values) EXPECT_FALSE(value.empty());
    continents.insert(country.values[2]);
    EXPECT_THAT(std::string(country.values[4]), StartsWith("+"));
  }
  EXPECT_LE(continents.size(), 7u);
}

TEST(CountriesTest, HalfOfTheCorpusIsNeverAskedAbout) {
  DataOptions options = FindPreset("countries")->data;
  EXPECT_LE(options.people, static_cast<int>(Countries().size()));
  EXPECT_GE(options.people, static_cast<int>(Countries().size()) - 1);
  options.people = 20;
  ASSERT_OK_AND_ASSIGN(const Corpus corpus, GenerateCorpus(options));
  size_t asked = 0;
  for (const Person& person : corpus.people) asked += person.asked ? 1 : 0;
  EXPECT_EQ(asked * 2, corpus.people.size());
  EXPECT_EQ(corpus.relations.size(), 5u);
  EXPECT_EQ(corpus.relations[0].name, "capital");
}

TEST(CountriesTest, RefusesMoreCountriesThanThereAre) {
  EXPECT_THAT(GenerateCorpus({.facts = "countries", .people = 278}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("people: must be at most")));
}

}  // namespace
}  // namespace alignsae
