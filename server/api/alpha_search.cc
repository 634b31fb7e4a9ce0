#include "server/api/alpha_search.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace alignsae {
namespace {

// Points between both ends of a gap, in one round.
constexpr int kPointsOfGap = 3;
// What rounding makes of a ratio.
constexpr double kSlack = 1 + 1e-9;

// `count` points inside (low, high), each as many times the one before.
void AddInside(double low, double high, int count, std::vector<double>& out) {
  for (int i = 1; i <= count; ++i) {
    const double share = static_cast<double>(i) / (count + 1);
    const double alpha = low * std::pow(high / low, share);
    // Neighbours so near that no number lies between give none.
    if (alpha > low && alpha < high) out.push_back(alpha);
  }
}

}  // namespace

bool AlphaSearch::TooWide(const Gap& gap) const {
  return gap.ratio() > options_.precision * kSlack;
}

std::vector<double> AlphaSearch::Grid(int points) const {
  std::vector<double> grid = {options_.low};
  AddInside(options_.low, options_.high, points - 2, grid);
  grid.push_back(options_.high);
  return grid;
}

std::optional<AlphaSearch::Found> AlphaSearch::found() const {
  const auto first =
      std::find_if(tried_.begin(), tried_.end(),
                   [](const auto& tried) { return tried.second; });
  if (first == tried_.end()) return std::nullopt;
  auto last = first;
  while (std::next(last) != tried_.end() && std::next(last)->second) ++last;
  return Found{first->first, last->first, first == tried_.begin(),
               std::next(last) == tried_.end()};
}

std::vector<AlphaSearch::Gap> AlphaSearch::Gaps() const {
  std::vector<Gap> gaps;
  if (tried_.empty()) return {{options_.low, options_.high}};
  const std::optional<Found> run = found();
  for (auto it = tried_.begin(); std::next(it) != tried_.end(); ++it) {
    const Gap gap = {it->first, std::next(it)->first};
    const bool counts = !run.has_value() || gap.high == run->smallest ||
                        gap.low == run->largest;
    if (counts && TooWide(gap)) gaps.push_back(gap);
  }
  return gaps;
}

std::vector<double> AlphaSearch::Next() const {
  const int left = std::min(
      kRoundTries, options_.max_tries - static_cast<int>(tried_.size()));
  if (left <= 0) return {};
  if (tried_.empty()) return Grid(std::max(2, left));
  std::vector<Gap> gaps = Gaps();
  if (gaps.empty()) return {};
  // Widest first, in case that not all can have their points.
  std::stable_sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) {
    return a.ratio() > b.ratio();
  });
  const int of_gap = found().has_value() ? kPointsOfGap : 1;
  std::vector<double> alphas;
  for (const Gap& gap : gaps) {
    const int room = left - static_cast<int>(alphas.size());
    AddInside(gap.low, gap.high, std::min(of_gap, room), alphas);
  }
  std::sort(alphas.begin(), alphas.end());
  return alphas;
}

}  // namespace alignsae
