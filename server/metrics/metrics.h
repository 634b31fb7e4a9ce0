// Metrics: everything that alignsae-server tells Prometheus, in one place.
//
// Label values come from closed sets: methods and codes that the code names,
// concepts that the bundle names (64 at most, then `other`). Nothing of a
// request ever becomes a label.
//
// Counters of a known set are there from the start, with 0. An observation
// costs one lock; handles are resolved once.
//
// Thread-safety: thread-safe, but for SetCatalog, which comes before the first
// observation of a reading.
//
// Example:
//   Metrics metrics({"ConceptService/ReadConcepts"}, "0.1.0");
//   metrics.RpcStarted("ConceptService/ReadConcepts");
//   metrics.RpcFinished("ConceptService/ReadConcepts", "OK", absl::Seconds(1));
//   std::string text = metrics.ExpositionText();

#ifndef ALIGNSAE_SERVER_METRICS_METRICS_H_
#define ALIGNSAE_SERVER_METRICS_METRICS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/steering/catalog.h"

namespace alignsae {

inline constexpr int kMaxConceptLabels = 64;

class Metrics {
 public:
  // `methods`: "Service/Method" of every RPC; another one counts as "other".
  // `version`: the server's, for build_info.
  Metrics(const std::vector<std::string>& methods, const std::string& version);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // What is loaded: label values, the *_info gauges and the number of KV slots.
  void SetCatalog(const Catalog& catalog, int kv_slots);

  // RPCs. `code`: "OK", "INVALID_ARGUMENT", ...
  void RpcStarted(absl::string_view method);
  void RpcFinished(absl::string_view method, absl::string_view code,
                   absl::Duration took);

  // Admission. `reason`: "queue_full", "token_budget", "deadline", "draining"
  // or "starting".
  void SetQueueDepth(int sequences);
  void ObserveQueueWait(absl::Duration waited);
  void CountRejected(absl::string_view reason);

  // Steps.
  void ObserveStep(absl::Duration took, int rows);
  void SetSlotsInUse(int slots);
  void CountTokens(int64_t prompt, int64_t generated);
  // Variants that began on another one's prompt, and the prompt tokens that
  // were not computed again because of it.
  void CountForks(int64_t forks, int64_t tokens_saved);
  void ObserveFirstToken(absl::Duration since_submit);
  void ObserveTokenTime(absl::Duration per_token);
  void ObserveCancelToFree(absl::Duration took);

  // Concept slots at the last token of a prompt. `checkpoint` and
  // `concept_index` are indices into the catalog; -1: no concept is bound.
  void CountTopConcept(int checkpoint, int concept_index);
  // z_j / c_j. Ignored when it is not finite.
  void ObserveActivationRatio(int checkpoint, int concept_index, double ratio);

  // `mode`: "ADD", ..., of InterventionModeName.
  void CountSteering(absl::string_view mode);
  // norm(h' - h) / norm(h). Ignored when it is not finite.
  void ObserveSteeringNormRatio(double ratio);

  // Text format 0.0.4 of Prometheus, process_* included.
  std::string ExpositionText() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_METRICS_H_
