// Quotas: how much a principal may ask for in a minute. A bucket for each,
// which holds a minute's worth and fills evenly; what is refused takes nothing.
//
// KV slots and bytes are held, not spent: the scheduler and the memory budget
// count them.
//
// Thread-safety: thread-safe.
// Errors: RESOURCE_EXHAUSTED, reason QUOTA, with the time after which there is
// enough; without one where a request asks for more than a minute's worth.

#ifndef ALIGNSAE_SERVER_POLICY_QUOTAS_H_
#define ALIGNSAE_SERVER_POLICY_QUOTAS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/policy/identity.h"

namespace alignsae {

class Quotas {
 public:
  absl::Status TakeRequest(const Principal& principal, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeTokens(const Principal& principal, int64_t tokens,
                          absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of what was taken and is not spent after all.
  void ReturnTokens(const Principal& principal, int64_t tokens)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What was taken and is not filled up again.
  struct Bucket {
    double taken = 0;
    absl::Time at = absl::InfinitePast();
  };
  using Buckets = std::map<std::string, Bucket>;

  absl::Status Take(Buckets& buckets, const Principal& principal,
                    int64_t amount, int64_t per_minute, const char* what,
                    absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Buckets requests_ ABSL_GUARDED_BY(mutex_);
  Buckets tokens_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_QUOTAS_H_
