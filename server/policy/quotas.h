// Quotas: how much a principal may ask for in a minute. A bucket for each,
// which holds a minute's worth and fills evenly; what is refused takes nothing.
// Worker time is known when it was spent: it is taken then, also when it is
// more than was there, and nothing new is begun until that has filled again.
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
  // Whether there is worker time left; takes none.
  absl::Status CheckWork(const Principal& principal, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void SpendWork(const Principal& principal, absl::Duration spent,
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

  // Of the principal's bucket, as it is now.
  static double Taken(const Buckets& buckets, const Principal& principal,
                      int64_t per_minute, absl::Time now);
  static void SetTaken(Buckets& buckets, const Principal& principal,
                       double taken, absl::Time now);
  absl::Status Take(Buckets& buckets, const Principal& principal,
                    int64_t amount, int64_t per_minute, const char* what,
                    absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Mutex mutex_;
  Buckets requests_ ABSL_GUARDED_BY(mutex_);
  Buckets tokens_ ABSL_GUARDED_BY(mutex_);
  Buckets work_ ABSL_GUARDED_BY(mutex_);  // Seconds.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_QUOTAS_H_
