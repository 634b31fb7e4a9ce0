#include "server/registry/metrics_observer.h"

#include <algorithm>
#include <optional>
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

int TopOf(const ConceptReading& reading) {
  return reading.bound ? reading.top : kNoConcept;
}

// Whether it is to make its target's slot larger than nothing.
bool Writes(const Intervention& intervention) {
  return intervention.alpha > 0 &&
         intervention.mode != InterventionMode::kAblate &&
         intervention.mode != InterventionMode::kProjectOut &&
         intervention.mode != InterventionMode::kMultiply;
}

// `target`: the concept of the target's slot, or null.
std::optional<Ineffective> WhyIneffective(const Intervention& intervention,
                                          const InterventionReceipt& receipt,
                                          const Concept* target) {
  if (receipt.positions_applied == 0) return Ineffective::kNoPosition;
  const auto some = [&receipt](auto&& holds) {
    return std::any_of(receipt.effects.begin(), receipt.effects.end(), holds);
  };
  if (!some([](const PositionEffect& at) { return at.change_norm != 0; })) {
    return Ineffective::kNoChange;
  }
  if (target != nullptr && Writes(intervention) &&
      !some([target](const PositionEffect& at) {
        return at.target_after >= target->threshold;
      })) {
    return Ineffective::kBelowThreshold;
  }
  return std::nullopt;
}

}  // namespace

MetricsObserver::MetricsObserver(Metrics* metrics, std::string model,
                                 std::shared_ptr<const Catalog> catalog,
                                 const KvAmount& kv, const Rollouts* rollouts)
    : metrics_(metrics),
      model_(std::move(model)),
      kv_(kv),
      rollouts_(rollouts),
      catalog_(std::move(catalog)),
      concepts_(metrics->SetCatalog(*catalog_)) {
  metrics_->generations().AddSlots(kv_.slots);
  metrics_->generations().AddTokens(kv_.tokens);
  metrics_->generations().AddQueued(model_, 0);  // The series is there.
  metrics_->generations().AddSlotsInUse(model_, 0);
  metrics_->generations().AddTokensInUse(model_, 0);
  metrics_->generations().AddPrefixTokens(model_, 0);
  metrics_->generations().CountPrefixes(model_, {});
  for (const CheckpointInfo& checkpoint : catalog_->checkpoints) {
    std::unordered_map<int, int>& slots = by_slot_.emplace_back();
    for (size_t i = 0; i < checkpoint.concepts.size(); ++i) {
      slots.emplace(checkpoint.concepts[i].slot, static_cast<int>(i));
    }
  }
}

MetricsObserver::~MetricsObserver() {
  metrics_->generations().AddSlots(-kv_.slots);
  metrics_->generations().AddTokens(-kv_.tokens);
  OnQueue(0, 0);
  TellInUse({});
  metrics_->generations().AddPrefixTokens(model_, -prefix_tokens_);
}

void MetricsObserver::OnQueue(int sequences, int64_t tokens) {
  metrics_->generations().AddQueued(
      model_, sequences - std::exchange(queued_, sequences));
  metrics_->generations().AddQueuedTokens(
      tokens - std::exchange(queued_tokens_, tokens));
}

void MetricsObserver::OnRejected(RejectReason reason) {
  metrics_->CountRejected(RejectionOf(reason));
}

void MetricsObserver::OnQueueWait(absl::Duration waited) {
  metrics_->ObserveQueueWait(waited);
}

void MetricsObserver::OnStep(const StepReport& report) {
  TellInUse({report.kv_slots_in_use, report.kv_tokens_in_use});
  CountPrefixes(report.prefix);
  if (report.rows == 0) return;
  metrics_->ObserveStep(report.duration, report.rows);
  metrics_->CountTokens(report.prompt_tokens, report.generated_tokens);
  metrics_->CountForks(report.forks, report.prefix_tokens_saved);
}

void MetricsObserver::TellInUse(const KvAmount& in_use) {
  const KvAmount before = std::exchange(in_use_, in_use);
  GenerationMetrics& metrics = metrics_->generations();
  metrics.AddSlotsInUse(model_, in_use.slots - before.slots);
  metrics.AddTokensInUse(model_, in_use.tokens - before.tokens);
}

void MetricsObserver::CountPrefixes(const PrefixReport& prefix) {
  const int64_t kept = prefix.tokens_kept;
  if (const int64_t more = kept - std::exchange(prefix_tokens_, kept)) {
    metrics_->generations().AddPrefixTokens(model_, more);
  }
  if (prefix.hits + prefix.misses + prefix.barred + prefix.evictions == 0) {
    return;
  }
  metrics_->generations().CountPrefixes(
      model_, {prefix.hits, prefix.misses, prefix.barred, prefix.tokens_taken,
               prefix.evictions});
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
  const int top = TopOf(reading);
  concepts_->CountTop(reading.checkpoint, top);
  if (reading.outside()) concepts_->CountOutside(reading.checkpoint);
  CompareShadow(reading, top);
  if (static_cast<size_t>(reading.top) < reading.probabilities.size()) {
    concepts_->ObserveConfidence(reading.checkpoint, top,
                                 reading.probabilities[reading.top],
                                 reading.margin);
  }
  const std::vector<Concept>& concepts =
      catalog_->checkpoints[reading.checkpoint].concepts;
  for (size_t i = 0; i < concepts.size() && i < reading.values.size(); ++i) {
    concepts_->ObserveActivationRatio(
        reading.checkpoint, static_cast<int>(i),
        reading.values[i] / concepts[i].active_mean);
  }
}

void MetricsObserver::CompareShadow(const ConceptReading& reading, int top) {
  if (rollouts_ == nullptr) return;
  const std::string shadow = rollouts_->Of(model_).shadow;
  if (shadow.empty()) {
    default_top_.reset();
    return;
  }
  const CheckpointInfo& checkpoint = catalog_->checkpoints[reading.checkpoint];
  std::string name =
      top == kNoConcept ? std::string() : checkpoint.concepts[top].name;
  if (reading.checkpoint == 0) {
    default_top_ = std::move(name);
  } else if (checkpoint.name == shadow && default_top_.has_value()) {
    metrics_->generations().CountShadow(model_, shadow, name != *default_top_);
    default_top_.reset();
  }
}

void MetricsObserver::OnGeneratedReading(const ConceptReading& reading) {
  concepts_->CountGenerated(reading.checkpoint, TopOf(reading));
}

void MetricsObserver::OnSteered(
    const std::vector<Intervention>& interventions,
    const std::vector<InterventionReceipt>& receipts) {
  for (size_t i = 0; i < interventions.size(); ++i) {
    metrics_->CountSteering(interventions[i].mode);
    if (interventions[i].unit != AlphaUnit::kRaw) {
      metrics_->ObserveAlpha(interventions[i].mode, interventions[i].alpha);
    }
    if (i < receipts.size()) CountReceipt(interventions[i], receipts[i]);
  }
}

void MetricsObserver::CountReceipt(const Intervention& intervention,
                                   const InterventionReceipt& receipt) {
  const bool slot = intervention.vector == nullptr;
  const int target =
      slot ? ConceptAt(intervention.checkpoint, intervention.target_slot)
           : kOtherSlot;
  const Concept* const written =
      target < 0
          ? nullptr
          : &catalog_->checkpoints[intervention.checkpoint].concepts[target];
  if (const auto why = WhyIneffective(intervention, receipt, written)) {
    metrics_->CountIneffective(intervention.mode, *why);
  }
  for (const PositionEffect& effect : receipt.effects) {
    metrics_->ObserveSteeringNormRatio(effect.change_norm /
                                       effect.residual_norm);
  }
  if (receipt.effects.empty() || !slot) return;
  if (intervention.mode == InterventionMode::kAblate ||
      intervention.mode == InterventionMode::kProjectOut) {
    concepts_->CountSteered(intervention.checkpoint, target, kNoConcept);
    return;
  }
  // Of the first position, where positions cleared different ones.
  const int cleared = receipt.effects.front().source_slot;
  concepts_->CountSteered(
      intervention.checkpoint,
      cleared < 0 ? kNoConcept : ConceptAt(intervention.checkpoint, cleared),
      target);
}

int MetricsObserver::ConceptAt(int checkpoint, int slot) const {
  const std::unordered_map<int, int>& slots = by_slot_[checkpoint];
  const auto it = slots.find(slot);
  return it == slots.end() ? kOtherSlot : it->second;
}

}  // namespace alignsae
