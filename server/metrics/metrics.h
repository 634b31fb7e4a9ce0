// Metrics: everything that alignsae-server tells Prometheus, in one place.
//
// Label values come from closed sets: methods and codes that the code names,
// concepts that the bundle names (64 at most, then `other`). Nothing of a
// request ever becomes a label.
//
// Counters of a known set are there from the start, with 0. An observation
// costs one lock; handles are resolved once.
//
// Thread-safety: thread-safe.
//
// Example:
//   Metrics metrics({"ConceptService/ReadConcepts"}, "0.1.0");
//   metrics.RpcStarted("ConceptService/ReadConcepts");
//   metrics.RpcFinished("ConceptService/ReadConcepts", "OK", absl::Seconds(1));
//   std::string text = metrics.ExpositionText();

#ifndef ALIGNSAE_SERVER_METRICS_METRICS_H_
#define ALIGNSAE_SERVER_METRICS_METRICS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/steering/catalog.h"
#include "model/steering/mode.h"
#include "server/metrics/concept_metrics.h"
#include "server/metrics/generation_metrics.h"
#include "server/metrics/http_refusal.h"
#include "server/metrics/slot_activity.h"

namespace alignsae {

// Concepts that get labels of their own, over all that is ever loaded.
inline constexpr int kMaxConceptLabels = 64;
// Pairs of a cleared and a written concept that do, then all of it is `other`.
inline constexpr int kMaxSteeringPairs = 1024;

// Why a request was refused or dropped before it ran: the label `reason`.
enum class Rejection {
  kQueueFull,
  kTokenBudget,
  kDeadline,
  kDraining,
  kStarting,
  kMemory,
};

// Why an intervention that ran changed nothing of note: the label `reason`.
enum class Ineffective {
  kNoPosition,      // It met no position.
  kNoChange,        // The residual stream is as before, bit for bit.
  kBelowThreshold,  // The concept that it writes is not bound afterwards.
};

class Metrics {
 public:
  // `methods`: "Service/Method" of every RPC; another one counts as "other".
  // `version`: the server's, for build_info.
  Metrics(const std::vector<std::string>& methods, const std::string& version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // What is loaded: label values, and the gauges of what a bundle says for as
  // long as the answer lives, which must not outlive the metrics. Each
  // generation of a model sets its own; what is observed through an older one
  // counts in the series of the same labels.
  std::unique_ptr<ConceptMetrics> SetCatalog(const Catalog& catalog);

  GenerationMetrics& generations();

  // How long the newest generation took to be read and prepared, and to run its
  // first steps.
  void SetLoadTimes(absl::Duration load, absl::Duration warm_up);

  // RPCs. `code`: "OK", "INVALID_ARGUMENT", ...
  void RpcStarted(absl::string_view method);
  void RpcFinished(absl::string_view method, absl::string_view code,
                   absl::Duration took);

  struct PolicyCounts {
    // Calls that were refused.
    int64_t unauthenticated = 0, denied = 0, quota = 0;
    // New versions that were taken, and that could not be.
    int64_t reloads = 0, failures = 0;
  };
  // Values that are asked for at every scrape. Set before the first one.
  struct Probes {
    std::function<int64_t()> call_memory_bytes;  // That calls hold.
    std::function<int64_t()> log_lines_dropped;
    std::function<int64_t()> http_connections;  // Of the front door.
    // Seconds since the epoch; null without TLS, and then there is no series.
    std::function<double()> tls_not_after;
    // New certificates that were taken, and that could not be.
    std::function<std::pair<int64_t, int64_t>()> tls_reloads;
    // Null without a policy, and then there are no series.
    std::function<PolicyCounts()> policy;
    std::function<int64_t()> audit_lines_lost;
  };
  void SetProbes(Probes probes);
  // A port for calls is without TLS on an address that others reach.
  void SetPlaintextExposed(bool exposed);

  // Admission.
  void ObserveQueueWait(absl::Duration waited);
  void CountRejected(Rejection reason);
  // At the front door, before it was a call.
  void CountHttpRefused(HttpRefusal reason);

  // Steps.
  void ObserveStep(absl::Duration took, int rows);
  void CountTokens(int64_t prompt, int64_t generated);
  // Variants that began on another one's prompt, and the prompt tokens that
  // were not computed again because of it.
  void CountForks(int64_t forks, int64_t tokens_saved);
  void ObserveFirstToken(absl::Duration since_submit);
  void ObserveTokenTime(absl::Duration per_token);
  void ObserveCancelToFree(absl::Duration took);

  void CountSteering(InterventionMode mode);
  // In active means, or a factor: not for AlphaUnit::kRaw.
  void ObserveAlpha(InterventionMode mode, double alpha);
  void CountIneffective(InterventionMode mode, Ineffective reason);
  // norm(h' - h) / norm(h). Ignored when it is not finite.
  void ObserveSteeringNormRatio(double ratio);

  // Share of labelled prompts that a checkpoint was seen to read right, when it
  // was loaded or validated last.
  void SetValidatedBinding(const std::string& checkpoint, double rate);

  // What has been counted of slots; see ConceptFamilies::Activity.
  std::vector<CheckpointActivity> SlotActivities() const;

  // Text format 0.0.4 of Prometheus, process_* included.
  std::string ExpositionText() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_METRICS_H_
