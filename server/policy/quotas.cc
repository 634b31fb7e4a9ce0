#include "server/policy/quotas.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Buckets above this are looked through for full ones, which say nothing.
constexpr size_t kManyBuckets = 4096;
constexpr absl::Duration kMinute = absl::Minutes(1);

absl::Status Spent(const Principal& principal, const char* what,
                   int64_t per_minute, int64_t amount) {
  return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                        "quota: must be at most ", per_minute, " ", what,
                        " a minute (quota of group ", principal.rights().name,
                        "), got ", amount, " more")),
                    kReasonQuota);
}

}  // namespace

absl::Status Quotas::TakeRequest(const Principal& principal, absl::Time now) {
  MutexLock lock(&mutex_);
  return Take(requests_, principal, 1,
              principal.rights().quota.requests_per_minute, "requests", now);
}

absl::Status Quotas::TakeTokens(const Principal& principal, int64_t tokens,
                                absl::Time now) {
  MutexLock lock(&mutex_);
  return Take(tokens_, principal, tokens,
              principal.rights().quota.tokens_per_minute, "tokens", now);
}

void Quotas::ReturnTokens(const Principal& principal, int64_t tokens) {
  MutexLock lock(&mutex_);
  const auto found = tokens_.find(principal.origin);
  if (found == tokens_.end()) return;
  double& taken = found->second.taken;
  taken = std::max(0.0, taken - static_cast<double>(tokens));
}

absl::Status Quotas::Take(Buckets& buckets, const Principal& principal,
                          int64_t amount, int64_t per_minute, const char* what,
                          absl::Time now) {
  if (per_minute == 0) return absl::OkStatus();
  if (amount > per_minute) return Spent(principal, what, per_minute, amount);
  if (buckets.size() > kManyBuckets) {
    // A minute after its last use every bucket is full.
    std::erase_if(buckets, [now](const auto& entry) {
      return now - entry.second.at >= kMinute;
    });
  }
  Bucket& bucket = buckets[principal.origin];
  const double rate = static_cast<double>(per_minute) / 60;
  const double filled = absl::ToDoubleSeconds(now - bucket.at) * rate;
  const double taken = std::max(0.0, bucket.taken - filled);
  const double too_much =
      taken + static_cast<double>(amount) - static_cast<double>(per_minute);
  if (too_much > 0) {
    return WithRetryAfter(
        Spent(principal, what, per_minute, amount),
        absl::Ceil(absl::Seconds(too_much / rate), absl::Milliseconds(1)));
  }
  bucket = {taken + static_cast<double>(amount), now};
  return absl::OkStatus();
}

}  // namespace alignsae
