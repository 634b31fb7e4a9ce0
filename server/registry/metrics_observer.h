// MetricsObserver: what the scheduler of one generation of a model tells, as
// metrics. Made by ServedModel; lives as long as its scheduler.
//
// Threads: the step thread, and RPC threads for OnQueue and OnRejected; each
// call takes a metric's lock for a moment.
//
// Thread-safety: as SchedulerObserver and Metrics ask.

#ifndef ALIGNSAE_SERVER_REGISTRY_METRICS_OBSERVER_H_
#define ALIGNSAE_SERVER_REGISTRY_METRICS_OBSERVER_H_

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/scheduler/kv_amount.h"
#include "model/scheduler/observer.h"
#include "model/steering/catalog.h"
#include "server/metrics/metrics.h"
#include "server/registry/rollout.h"

namespace alignsae {

class MetricsObserver : public SchedulerObserver {
 public:
  // Sets the catalog of `metrics`, which must outlive the observer. `model`:
  // the name that the generation is served under; `kv`: its KV cache.
  MetricsObserver(Metrics* metrics, std::string model,
                  std::shared_ptr<const Catalog> catalog, const KvAmount& kv,
                  const Rollouts* rollouts = nullptr);
  // Takes what it holds off the gauges.
  ~MetricsObserver() override;

  void OnQueue(int sequences, int64_t tokens) override;
  void OnRejected(RejectReason reason) override;
  void OnQueueWait(absl::Duration waited) override;
  void OnStep(const StepReport& report) override;
  void OnFirstToken(absl::Duration since_submit) override;
  void OnTokenTime(absl::Duration per_token) override;
  void OnCancelledFree(absl::Duration took) override;
  void OnPromptReading(const ConceptReading& reading) override;
  void OnGeneratedReading(const ConceptReading& reading) override;
  void OnSteered(const std::vector<Intervention>& interventions,
                 const std::vector<InterventionReceipt>& receipts) override;

 private:
  void TellInUse(const KvAmount& in_use);
  void CountPrefixes(const PrefixReport& prefix);
  // Compares the shadow's reading of a prompt with the default checkpoint's.
  void CompareShadow(const ConceptReading& reading, int top);
  void CountReceipt(const Intervention& intervention,
                    const InterventionReceipt& receipt);
  // Index into the checkpoint's concepts, or kOtherSlot.
  int ConceptAt(int checkpoint, int slot) const;

  Metrics* const metrics_;
  const std::string model_;
  const KvAmount kv_;               // That there is.
  const Rollouts* const rollouts_;  // May be null.
  // What the default checkpoint has on top of the prompt that is told of now,
  // until the shadow's reading of it comes, which is behind it. Whichever has
  // the earlier hook point reads every prompt that the other one reads, so
  // nothing of another prompt can be left here then. Empty: it read none.
  std::optional<std::string> default_top_;
  // As told last. OnQueue comes one at a time, OnStep from the step thread.
  int queued_ = 0;
  int64_t queued_tokens_ = 0;
  KvAmount in_use_;
  int64_t prefix_tokens_ = 0;
  const std::shared_ptr<const Catalog> catalog_;
  const std::unique_ptr<ConceptMetrics> concepts_;
  std::vector<std::unordered_map<int, int>> by_slot_;  // Of each checkpoint.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_METRICS_OBSERVER_H_
