// Rollout: another checkpoint beside the default one of a model, to be compared
// with it or to answer a part of the requests.
//
// Checkpoints are named, not held: a generation that has none of that name does
// as if there were no rollout.
//
// Thread-safety: Rollouts is thread-safe, and takes a lock for a moment; the
// rest are values and pure functions.

#ifndef ALIGNSAE_SERVER_REGISTRY_ROLLOUT_H_
#define ALIGNSAE_SERVER_REGISTRY_ROLLOUT_H_

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "model/base/mutex.h"

namespace alignsae {

struct Rollout {
  std::string shadow;  // Read beside the default one and compared; empty: none.
  std::string canary;  // Answers in its place; empty: none.
  double canary_fraction = 0;  // [0, 1], of the requests that name none.

  friend bool operator==(const Rollout&, const Rollout&) = default;
};

// Whether the request is one of the canary's: decided by a hash of its id that
// is the same in every process.
bool TakesCanary(const Rollout& rollout, absl::string_view request_id);

class Rollouts {
 public:
  // `model`: as the registry calls it.
  void Set(const std::string& model, const Rollout& rollout)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Rollout Of(const std::string& model) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::map<std::string, Rollout> all_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_ROLLOUT_H_
