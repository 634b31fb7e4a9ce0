#include "server/registry/metrics_observer.h"

#include <utility>

namespace alignsae {
namespace {

Rejection RejectionOf(RejectReason reason) {
  switch (reason) {
    case RejectReason::kQueueFull:
      return Rejection::kQueueFull;
    case RejectReason::kTokenBudget:
      return Rejection::kTokenBudget;
    case RejectReason::kDeadline:
      return Rejection::kDeadline;
    case RejectReason::kDraining:
      return Rejection::kDraining;
  }
  return Rejection::kQueueFull;  // Unreachable: every enumerator is above.
}

}  // namespace

MetricsObserver::MetricsObserver(Metrics* metrics,
                                 std::shared_ptr<const Catalog> catalog,
                                 int kv_slots)
    : metrics_(metrics),
      catalog_(std::move(catalog)),
      concepts_(metrics->SetCatalog(*catalog_, kv_slots)) {}

void MetricsObserver::OnQueue(int sequences, int64_t tokens) {
  metrics_->SetQueueDepth(sequences);
}

void MetricsObserver::OnRejected(RejectReason reason) {
  metrics_->CountRejected(RejectionOf(reason));
}

void MetricsObserver::OnQueueWait(absl::Duration waited) {
  metrics_->ObserveQueueWait(waited);
}

void MetricsObserver::OnStep(const StepReport& report) {
  metrics_->SetSlotsInUse(report.kv_slots_in_use);
  if (report.rows == 0) return;
  metrics_->ObserveStep(report.duration, report.rows);
  metrics_->CountTokens(report.prompt_tokens, report.generated_tokens);
  metrics_->CountForks(report.forks, report.prefix_tokens_saved);
}

void MetricsObserver::OnFirstToken(absl::Duration since_submit) {
  metrics_->ObserveFirstToken(since_submit);
}

void MetricsObserver::OnTokenTime(absl::Duration per_token) {
  metrics_->ObserveTokenTime(per_token);
}

void MetricsObserver::OnCancelledFree(absl::Duration took) {
  metrics_->ObserveCancelToFree(took);
}

void MetricsObserver::OnPromptReading(const ConceptReading& reading) {
  concepts_->CountTop(reading.checkpoint, reading.bound ? reading.top : -1);
  const std::vector<Concept>& concepts =
      catalog_->checkpoints[reading.checkpoint].concepts;
  for (size_t i = 0; i < concepts.size() && i < reading.values.size(); ++i) {
    concepts_->ObserveActivationRatio(
        reading.checkpoint, static_cast<int>(i),
        reading.values[i] / concepts[i].active_mean);
  }
}

void MetricsObserver::OnSteered(
    const std::vector<Intervention>& interventions,
    const std::vector<InterventionReceipt>& receipts) {
  for (size_t i = 0; i < interventions.size(); ++i) {
    metrics_->CountSteering(interventions[i].mode);
    if (i >= receipts.size()) continue;
    for (const PositionEffect& effect : receipts[i].effects) {
      metrics_->ObserveSteeringNormRatio(effect.change_norm /
                                         effect.residual_norm);
    }
  }
}

}  // namespace alignsae
