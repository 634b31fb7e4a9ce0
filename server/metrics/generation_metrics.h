// GenerationMetrics: what is told of the generations of the models: their
// states, their loads, and what their schedulers hold, for each model and in
// all.
//
// Model names come from the operator, never from a request for an answer.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_METRICS_GENERATION_METRICS_H_
#define ALIGNSAE_SERVER_METRICS_GENERATION_METRICS_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"

namespace alignsae {

class GenerationMetrics {
 public:
  explicit GenerationMetrics(prometheus::Registry* registry);
  GenerationMetrics(const GenerationMetrics&) = delete;
  GenerationMetrics& operator=(const GenerationMetrics&) = delete;

  // A generation is in `state` from now on; its series of an earlier state
  // goes. An empty `state`: it is gone.
  void Entered(const std::string& model, uint64_t generation,
               absl::string_view state, absl::Time since)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // `result`: ok, failed (what was there serves on) or refused (before work).
  void CountLoad(const std::string& model, absl::string_view result);

  // A prompt that the default checkpoint and the shadow have read.
  void CountShadow(const std::string& model, const std::string& shadow,
                   bool disagrees);

  // What prompts of the model had of its prefix cache.
  struct PrefixCounts {
    int hits = 0, misses = 0, barred = 0;
    int64_t tokens_saved = 0;
    int evictions = 0;
  };
  void CountPrefixes(const std::string& model, const PrefixCounts& counts);

  // What a generation's scheduler holds, by how much it has changed.
  void AddQueued(const std::string& model, int sequences);
  void AddQueuedTokens(int64_t tokens);
  void AddSlotsInUse(const std::string& model, int slots);
  void AddSlots(int slots);
  void AddTokensInUse(const std::string& model, int64_t tokens);
  void AddTokens(int64_t tokens);
  void AddPrefixTokens(const std::string& model, int64_t tokens);

 private:
  prometheus::Family<prometheus::Gauge>& states_;
  prometheus::Family<prometheus::Counter>& loads_;
  prometheus::Family<prometheus::Counter>& shadow_readings_;
  prometheus::Family<prometheus::Counter>& shadow_disagreement_;
  prometheus::Gauge& queue_depth_;
  prometheus::Gauge& queue_tokens_;
  prometheus::Gauge& slots_in_use_;
  prometheus::Gauge& slots_;
  prometheus::Gauge& tokens_in_use_;
  prometheus::Gauge& tokens_;
  prometheus::Family<prometheus::Gauge>& queue_of_;
  prometheus::Family<prometheus::Gauge>& slots_of_;
  prometheus::Family<prometheus::Gauge>& tokens_of_;
  prometheus::Family<prometheus::Counter>& prefix_prompts_;
  prometheus::Family<prometheus::Counter>& prefix_saved_;
  prometheus::Family<prometheus::Counter>& prefix_evictions_;
  prometheus::Family<prometheus::Gauge>& prefix_tokens_;

  Mutex mutex_;
  std::map<std::pair<std::string, uint64_t>, prometheus::Gauge*> current_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_GENERATION_METRICS_H_
