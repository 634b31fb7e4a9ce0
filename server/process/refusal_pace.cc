#include "server/process/refusal_pace.h"

#include <algorithm>

namespace alignsae {

absl::Time RefusalPace::TellAt(const std::string& origin,
                               absl::Duration retry_after, absl::Time now) {
  MutexLock lock(&mutex_);
  const auto told = told_.find(origin);
  if (told != told_.end() && told->second > now) return told->second;
  if (told == told_.end() && told_.size() >= kMostOrigins) {
    std::erase_if(told_, [now](const auto& one) { return one.second <= now; });
    // All of them were told just now: one of them may ask early.
    if (told_.size() >= kMostOrigins) told_.erase(told_.begin());
  }
  told_[origin] = now + std::min(retry_after, kLongest);
  return now;
}

}  // namespace alignsae
