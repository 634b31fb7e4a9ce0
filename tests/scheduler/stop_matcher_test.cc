#include "model/scheduler/stop_matcher.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

struct Outcome {
  std::string text;
  std::optional<int> stop;
};

Outcome RunMatcher(const std::vector<std::string>& stops,
                   const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Outcome outcome;
  for (const std::string& piece : pieces) {
    StopMatcher::Result result = matcher.Push(piece);
    outcome.text += result.released;
    if (result.stop_index.has_value()) {
      outcome.stop = result.stop_index;
      return outcome;
    }
  }
  outcome.text += matcher.Finish();
  return outcome;
}

TEST(StopMatcherTest, ReleasesEverythingAtOnceWithoutStopSequences) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.Push("abc").released, "abc");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcherTest, EndsTheTextBeforeAStopInsideOnePiece) {
  const Outcome outcome = RunMatcher({"."}, {"Lima. Peru"});
  EXPECT_EQ(outcome.text, "Lima");
  EXPECT_EQ(outcome.stop, 0);
}

TEST(StopMatcherTest, FindsAStopAcrossPieces) {
  const Outcome outcome =
      RunMatcher({"\n\nQ:"}, {"Lima\n", "\n", "Q", ": next"});
  EXPECT_EQ(outcome.text, "Lima");
  EXPECT_EQ(outcome.stop, 0);
}

TEST(StopMatcherTest, HoldsBackWhatMayBecomeAStop) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("the E").released, "the ");
  EXPECT_EQ(matcher.Push("N").released, "");
  EXPECT_EQ(matcher.Push("T").released, "ENT");
}

TEST(StopMatcherTest, GivesOutWhatWasHeldBackAtTheEnd) {
  EXPECT_EQ(RunMatcher({"END"}, {"the EN"}).text, "the EN");
}

TEST(StopMatcherTest, FindsAStopThatBeginsInsideAFailedMatch) {
  const Outcome outcome = RunMatcher({"aab"}, {"a", "a", "a", "b"});
  EXPECT_EQ(outcome.text, "a");
  EXPECT_EQ(outcome.stop, 0);
}

TEST(StopMatcherTest, FindsAStopSplitInsideACharacter) {
  const Outcome outcome = RunMatcher({"é"}, {"caf\xc3", "\xa9!"});
  EXPECT_EQ(outcome.text, "caf");
  EXPECT_EQ(outcome.stop, 0);
}

TEST(StopMatcherTest, TakesTheLongestOfStopsThatEndTogether) {
  const Outcome outcome = RunMatcher({"b", "ab"}, {"xab"});
  EXPECT_EQ(outcome.text, "x");
  EXPECT_EQ(outcome.stop, 1);
}

// Against the plain definition: the first end of any stop, the longest there.
TEST(StopMatcherTest, AgreesWithAPlainSearchOnRandomTexts) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    CounterRng rng(seed);
    const auto random_text = [&rng](uint64_t longest) {
      std::string text(1 + rng.NextBelow(longest), 'a');
      for (char& c : text) c = static_cast<char>('a' + rng.NextBelow(2));
      return text;
    };
    std::vector<std::string> stops;
    for (uint64_t i = 0; i < 1 + rng.NextBelow(3); ++i) {
      stops.push_back(random_text(5));
    }
    std::string text;
    std::vector<std::string> pieces;
    for (int i = 0; i < 8; ++i) {
      pieces.push_back(random_text(4));
      text += pieces.back();
    }
    std::string expected = text;
    bool found = false;
    for (size_t end = 1; end <= text.size() && !found; ++end) {
      size_t longest = 0;
      for (const std::string& stop : stops) {
        if (stop.size() <= end && stop.size() > longest &&
            text.compare(end - stop.size(), stop.size(), stop) == 0) {
          longest = stop.size();
        }
      }
      found = longest > 0;
      if (found) expected = text.substr(0, end - longest);
    }
    const Outcome outcome = RunMatcher(stops, pieces);
    EXPECT_EQ(outcome.text, expected) << "seed " << seed;
    EXPECT_EQ(outcome.stop.has_value(), found) << "seed " << seed;
  }
}

}  // namespace
}  // namespace alignsae
