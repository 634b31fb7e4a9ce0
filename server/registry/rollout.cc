#include "server/registry/rollout.h"

#include <cmath>
#include <cstdint>

#include "model/base/counter_rng.h"

namespace alignsae {

bool TakesCanary(const Rollout& rollout, absl::string_view request_id) {
  if (rollout.canary.empty()) return false;
  uint64_t hash = 0;
  for (const char byte : request_id) {
    hash = Mix64(hash ^ static_cast<unsigned char>(byte));
  }
  // Its upper 53 bits as a number in [0, 1).
  return std::ldexp(static_cast<double>(hash >> 11), -53) <
         rollout.canary_fraction;
}

void Rollouts::Set(const std::string& model, const Rollout& rollout) {
  MutexLock lock(&mutex_);
  all_[model] = rollout;
}

Rollout Rollouts::Of(const std::string& model) const {
  MutexLock lock(&mutex_);
  const auto found = all_.find(model);
  return found == all_.end() ? Rollout() : found->second;
}

}  // namespace alignsae
