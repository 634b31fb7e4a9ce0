// AlphaSearch: what it finds in answers of every shape, and how much it asks.

#include "server/api/alpha_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <vector>

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Searched {
  std::vector<std::vector<double>> rounds;
  int tries = 0;
};

// Until the search is over; every alpha is new and in the range.
Searched Search(AlphaSearch& search, const AlphaSearch::Options& options,
                const std::function<bool(double)>& good) {
  Searched run;
  std::set<double> seen;
  while (true) {
    const std::vector<double> alphas = search.Next();
    if (alphas.empty()) return run;
    EXPECT_LE(alphas.size(), static_cast<size_t>(AlphaSearch::kRoundTries));
    for (double alpha : alphas) {
      EXPECT_GE(alpha, options.low);
      EXPECT_LE(alpha, options.high);
      EXPECT_TRUE(seen.insert(alpha).second) << alpha << " twice";
      search.Take(alpha, good(alpha));
      ++run.tries;
    }
    run.rounds.push_back(alphas);
  }
}

TEST(AlphaSearchTest, TheFirstRoundIsAGeometricGridWithBothEnds) {
  const AlphaSearch search({.low = 0.0625, .high = 16});
  const std::vector<double> first = search.Next();
  ASSERT_THAT(first, SizeIs(9));
  for (int i = 0; i < 9; ++i) EXPECT_NEAR(first[i], 0.0625 * (1 << i), 1e-9);
  EXPECT_EQ(first.front(), 0.0625);
  EXPECT_EQ(first.back(), 16);
}

TEST(AlphaSearchTest, BothEndsAreFoundAsExactlyAsAsked) {
  const AlphaSearch::Options options;
  AlphaSearch search(options);
  const Searched run = Search(search, options, [](double alpha) {
    return alpha >= 0.7 && alpha <= 3.3;
  });
  ASSERT_TRUE(search.found().has_value());
  EXPECT_TRUE(search.exact());
  const AlphaSearch::Found found = *search.found();
  EXPECT_GE(found.smallest, 0.7);
  EXPECT_LE(found.smallest, 0.7 * 1.05);
  EXPECT_LE(found.largest, 3.3);
  EXPECT_GE(found.largest, 3.3 / 1.05);
  EXPECT_FALSE(found.open_below);
  EXPECT_FALSE(found.open_above);
  // 9, and twice three on each side: a factor 2, its fourth root, its
  // sixteenth.
  EXPECT_EQ(run.tries, 21);
  EXPECT_THAT(run.rounds, SizeIs(3));
}

TEST(AlphaSearchTest, EndsOfTheRangeAreOpen) {
  const AlphaSearch::Options options = {.low = 1, .high = 4};
  AlphaSearch search(options);
  const Searched run = Search(search, options, [](double) { return true; });
  EXPECT_THAT(run.rounds, SizeIs(1));
  const AlphaSearch::Found found = *search.found();
  EXPECT_EQ(found.smallest, 1);
  EXPECT_EQ(found.largest, 4);
  EXPECT_TRUE(found.open_below);
  EXPECT_TRUE(found.open_above);
  EXPECT_TRUE(search.exact());
}

TEST(AlphaSearchTest, ANarrowWindowBetweenTheGridsPointsIsFound) {
  const AlphaSearch::Options options = {.max_tries = 64};
  AlphaSearch search(options);
  // Of a factor 1.15, between 2 and 4.
  Search(search, options,
         [](double alpha) { return alpha > 2.7 && alpha < 3.1; });
  ASSERT_TRUE(search.found().has_value());
  EXPECT_TRUE(search.exact());
  EXPECT_LE(search.found()->smallest, 2.7 * 1.05);
  EXPECT_GE(search.found()->largest, 3.1 / 1.05);
}

TEST(AlphaSearchTest, NothingGoodIsSaidOnceEveryGapIsNarrow) {
  const AlphaSearch::Options options = {
      .low = 1, .high = 2, .precision = 1.1, .max_tries = 100};
  AlphaSearch search(options);
  Search(search, options, [](double) { return false; });
  EXPECT_FALSE(search.found().has_value());
  EXPECT_TRUE(search.exact());
}

TEST(AlphaSearchTest, TriesThatRunOutAreSaid) {
  for (int tries : {2, 3, 5, 9, 10, 13}) {
    const AlphaSearch::Options options = {.precision = 1.001,
                                          .max_tries = tries};
    AlphaSearch search(options);
    const Searched run = Search(search, options, [](double alpha) {
      return alpha > 0.7 && alpha < 3.3;
    });
    EXPECT_EQ(run.tries, tries);
    EXPECT_FALSE(search.exact());
    EXPECT_THAT(search.Next(), IsEmpty());
  }
}

TEST(AlphaSearchTest, ABadOneInsideEndsTheRun) {
  const AlphaSearch::Options options = {.low = 1, .high = 256};
  AlphaSearch search(options);
  for (double alpha : search.Next()) {
    search.Take(alpha, alpha > 3 && (alpha < 15 || alpha > 100));
  }
  const AlphaSearch::Found found = *search.found();
  EXPECT_NEAR(found.smallest, 4, 1e-9);
  EXPECT_NEAR(found.largest, 8, 1e-9);
  EXPECT_FALSE(found.open_above);
  // Between 2 and 4, and between 8 and 16; nothing above.
  const std::vector<double> next = search.Next();
  ASSERT_THAT(next, SizeIs(6));
  EXPECT_GT(next[0], 2);
  EXPECT_LT(next[2], 4);
  EXPECT_GT(next[3], 8);
  EXPECT_LT(next[5], 16);
}

TEST(AlphaSearchTest, NeighboursOfOneAnotherEndTheSearch) {
  const double low = 1;
  const double high = std::nextafter(1.0, 2.0);
  AlphaSearch search({.low = low, .high = high});
  EXPECT_THAT(search.Next(), ElementsAre(low, high));
}

}  // namespace
}  // namespace alignsae
