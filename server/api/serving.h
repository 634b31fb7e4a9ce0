// What RPCs work with: the loaded model, and the parts that all calls share.
//
// The gRPC port opens before the model is loaded, so that probes get an answer;
// until Set() every API call is UNAVAILABLE, and again once the server drains.
//
// Thread-safety: ServingState is thread-safe; the structs are immutable once
// they are shared.

#ifndef ALIGNSAE_SERVER_API_SERVING_H_
#define ALIGNSAE_SERVER_API_SERVING_H_

#include <atomic>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"
#include "model/scheduler/event_queue.h"
#include "model/scheduler/scheduler.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "server/config/server_config.h"
#include "server/metrics/metrics.h"
#include "server/process/worker_pool.h"

namespace alignsae {

// One loaded model. A call keeps the one that it began with.
struct Serving {
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  Scheduler* scheduler = nullptr;  // Outlives every call.
};

class ServingState {
 public:
  void Set(std::shared_ptr<const Serving> serving) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    serving_ = std::move(serving);
  }
  // nullptr while starting.
  std::shared_ptr<const Serving> Get() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return serving_;
  }

  // From now on new calls are refused.
  void SetDraining() { draining_ = true; }
  bool draining() const { return draining_; }

 private:
  std::atomic<bool> draining_{false};
  mutable Mutex mutex_;
  std::shared_ptr<const Serving> serving_ ABSL_GUARDED_BY(mutex_);
};

// All of it outlives every call.
struct RpcEnv {
  ServingState* serving = nullptr;
  WorkerPool* workers = nullptr;
  Metrics* metrics = nullptr;
  const Clock* clock = nullptr;
  std::atomic<int>* open_calls = nullptr;  // Not yet out of gRPC's hands.
  ServerConfig config;                     // Limits, and what GetModel tells.
  EventQueue::Options unread = {};  // What a stream's reader may leave unread.
};

// The bytes of a token as generated text: none for special tokens.
absl::string_view TextBytes(const Tokenizer& tokenizer, int32_t id);
// The bytes of a token, special or not; none for ids without.
absl::string_view PieceBytes(const Tokenizer& tokenizer, int32_t id);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_SERVING_H_
