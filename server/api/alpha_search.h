// AlphaSearch: which strengths to try next, given which of those that were
// tried are good: the smallest good one, and the largest of the good ones that
// follow it without a bad one between.
//
// Nothing is assumed of the answers' order: good and bad may take turns. The
// first round is a geometric grid over the range. While nothing is good the
// widest gaps are halved; then points are put between both ends of the good run
// and their bad neighbours.
//
// Pure: no clock, no model.
//
// Thread-safety: not thread-safe.
//
// Example:
//   AlphaSearch search({.low = 0.1, .high = 10});
//   for (auto alphas = search.Next(); !alphas.empty(); alphas = search.Next())
//   {
//     for (double alpha : alphas) search.Take(alpha, IsGood(alpha));
//   }

#ifndef ALIGNSAE_SERVER_API_ALPHA_SEARCH_H_
#define ALIGNSAE_SERVER_API_ALPHA_SEARCH_H_

#include <map>
#include <optional>
#include <vector>

namespace alignsae {

class AlphaSearch {
 public:
  struct Options {
    double low = 0.0625;  // > 0.
    double high = 16;     // > low.
    // An end is found when its bad neighbour is at most this many times away.
    double precision = 1.05;  // > 1.
    int max_tries = 32;       // >= 2.
  };
  // Of one round, at most.
  static constexpr int kRoundTries = 9;

  explicit AlphaSearch(const Options& options) : options_(options) {}

  // The next round, rising, each of them new; empty: the search is over.
  std::vector<double> Next() const;
  void Take(double alpha, bool good) { tried_[alpha] = good; }

  struct Found {
    double smallest = 0;
    double largest = 0;
    bool open_below = false;  // Nothing below the smallest is in the range.
    bool open_above = false;
  };
  std::optional<Found> found() const;
  // Whether no gap that counts is wider than the precision asks.
  bool exact() const { return Gaps().empty(); }

 private:
  struct Gap {
    double low = 0;
    double high = 0;
    double ratio() const { return high / low; }
  };
  bool TooWide(const Gap& gap) const;
  // Those that are too wide: beside the good run, or all when nothing is good.
  std::vector<Gap> Gaps() const;
  std::vector<double> Grid(int points) const;

  const Options options_;
  std::map<double, bool> tried_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ALPHA_SEARCH_H_
