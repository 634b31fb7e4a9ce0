#include "model/scheduler/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace alignsae {
namespace {

std::vector<int> FallbackOf(const std::string& stop) {
  std::vector<int> fallback(stop.size(), 0);
  for (size_t n = 1, length = 0; n < stop.size(); ++n) {
    while (length > 0 && stop[n] != stop[length]) length = fallback[length - 1];
    if (stop[n] == stop[length]) ++length;
    fallback[n] = static_cast<int>(length);
  }
  return fallback;
}

}  // namespace

StopMatcher::StopMatcher(std::vector<std::string> stops)
    : stops_(std::move(stops)), matched_(stops_.size(), 0) {
  for (const std::string& stop : stops_) fallback_.push_back(FallbackOf(stop));
}

bool StopMatcher::Advance(size_t i, char byte) {
  const std::string& stop = stops_[i];
  int& matched = matched_[i];
  while (matched > 0 && stop[matched] != byte) {
    matched = fallback_[i][matched - 1];
  }
  if (stop[matched] == byte) ++matched;
  return matched == static_cast<int>(stop.size());
}

StopMatcher::Result StopMatcher::Push(absl::string_view bytes) {
  Result result;
  for (char byte : bytes) {
    held_.push_back(byte);
    for (size_t i = 0; i < stops_.size(); ++i) {
      if (Advance(i, byte) &&
          (!result.stop_index.has_value() ||
           stops_[i].size() > stops_[*result.stop_index].size())) {
        result.stop_index = static_cast<int>(i);
      }
    }
    if (result.stop_index.has_value()) {
      held_.resize(held_.size() - stops_[*result.stop_index].size());
      result.released += held_;
      held_.clear();
      return result;
    }
  }
  const auto longest = std::max_element(matched_.begin(), matched_.end());
  const size_t keep = longest == matched_.end() ? 0 : *longest;
  result.released = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return result;
}

std::string StopMatcher::Finish() { return std::exchange(held_, ""); }

}  // namespace alignsae
