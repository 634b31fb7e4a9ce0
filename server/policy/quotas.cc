#include "server/policy/quotas.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Buckets above this are looked through for full ones, which say nothing.
constexpr size_t kManyBuckets = 4096;
constexpr absl::Duration kMinute = absl::Minutes(1);

double PerSecond(int64_t per_minute) {
  return static_cast<double>(per_minute) / 60;
}

// How long until `amount` has filled up; not nothing.
absl::Duration FillTime(double amount, int64_t per_minute) {
  return std::max(absl::Milliseconds(1),
                  absl::Ceil(absl::Seconds(amount / PerSecond(per_minute)),
                             absl::Milliseconds(1)));
}

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

absl::Status Quotas::CheckWork(const Principal& principal, absl::Time now) {
  const int64_t per_minute = principal.rights().quota.worker_seconds_per_minute;
  if (per_minute == 0) return absl::OkStatus();
  MutexLock lock(&mutex_);
  const double too_much = Taken(work_, principal, per_minute, now) -
                          static_cast<double>(per_minute);
  if (too_much < 0) return absl::OkStatus();
  const absl::Status spent = WithReason(
      absl::ResourceExhaustedError(absl::StrCat(
          "quota: must use at most ", per_minute,
          " seconds of the server's workers a minute (quota of group ",
          principal.rights().name, "), and has used them")),
      kReasonQuota);
  return WithRetryAfter(spent, FillTime(too_much, per_minute));
}

void Quotas::SpendWork(const Principal& principal, absl::Duration spent,
                       absl::Time now) {
  const int64_t per_minute = principal.rights().quota.worker_seconds_per_minute;
  if (per_minute == 0) return;
  MutexLock lock(&mutex_);
  SetTaken(
      work_, principal,
      Taken(work_, principal, per_minute, now) + absl::ToDoubleSeconds(spent),
      now);
}

double Quotas::Taken(const Buckets& buckets, const Principal& principal,
                     int64_t per_minute, absl::Time now) {
  const auto found = buckets.find(principal.origin);
  if (found == buckets.end()) return 0;
  const double filled =
      absl::ToDoubleSeconds(now - found->second.at) * PerSecond(per_minute);
  return std::max(0.0, found->second.taken - filled);
}

void Quotas::SetTaken(Buckets& buckets, const Principal& principal,
                      double taken, absl::Time now) {
  if (buckets.size() > kManyBuckets) {
    // A minute after its last use a bucket is full.
    std::erase_if(buckets, [now](const auto& entry) {
      return now - entry.second.at >= kMinute;
    });
  }
  buckets[principal.origin] = {taken, now};
}

absl::Status Quotas::Take(Buckets& buckets, const Principal& principal,
                          int64_t amount, int64_t per_minute, const char* what,
                          absl::Time now) {
  if (per_minute == 0) return absl::OkStatus();
  if (amount > per_minute) return Spent(principal, what, per_minute, amount);
  const double taken =
      Taken(buckets, principal, per_minute, now) + static_cast<double>(amount);
  const double too_much = taken - static_cast<double>(per_minute);
  if (too_much > 0) {
    return WithRetryAfter(Spent(principal, what, per_minute, amount),
                          FillTime(too_much, per_minute));
  }
  SetTaken(buckets, principal, taken, now);
  return absl::OkStatus();
}

}  // namespace alignsae
