#include "model/scheduler/side_effects.h"

#include <algorithm>
#include <cmath>

namespace alignsae {

SideEffectMeter::SideEffectMeter(const std::vector<Intervention>& interventions,
                                 const GuardLimits& limits,
                                 const Catalog& catalog)
    : interventions_(interventions), limits_(limits), catalog_(catalog) {
  std::set<int> checkpoints;
  for (const Intervention& intervention : interventions) {
    if (intervention.vector != nullptr) continue;
    const int checkpoint = intervention.checkpoint;
    checkpoints.insert(checkpoint);
    named_.emplace(checkpoint, intervention.target_slot);
    if (intervention.source_slot.has_value()) {
      named_.emplace(checkpoint, *intervention.source_slot);
    }
  }
  for (int checkpoint : checkpoints) {
    const std::vector<Concept>& concepts =
        catalog.checkpoints[checkpoint].concepts;
    for (size_t column = 0; column < concepts.size(); ++column) {
      if (named_.count({checkpoint, concepts[column].slot}) > 0) continue;
      SideEffects::OffTarget row;
      row.checkpoint = checkpoint;
      row.column = static_cast<int>(column);
      places_[{checkpoint, row.column}] = effects_.off_target.size();
      effects_.off_target.push_back(row);
    }
  }
}

void SideEffectMeter::Hold(const std::optional<double>& limit, GuardStop stop) {
  // What is no number is within no limit.
  if (!limit.has_value() || stopped_.has_value() || stop.value <= *limit) {
    return;
  }
  stop.limit = *limit;
  stopped_ = stop;
}

void SideEffectMeter::AddEffect(const Intervention& intervention,
                                const PositionEffect& effect) {
  const double ratio = effect.change_norm / effect.residual_norm;
  effects_.norm_ratio = std::max(effects_.norm_ratio.value_or(0), ratio);
  GuardStop stop;
  stop.kind = GuardKind::kNormRatio;
  stop.value = ratio;
  stop.position = effect.position;
  Hold(limits_.norm_ratio, stop);
  AddSlots(intervention, effect);
}

void SideEffectMeter::AddSlots(const Intervention& intervention,
                               const PositionEffect& effect) {
  if (intervention.vector != nullptr) return;
  const int checkpoint = intervention.checkpoint;
  const std::vector<Concept>& concepts =
      catalog_.checkpoints[checkpoint].concepts;
  const size_t count = std::min(
      {concepts.size(), effect.slots_before.size(), effect.slots_after.size()});
  for (size_t column = 0; column < count; ++column) {
    const auto place = places_.find({checkpoint, static_cast<int>(column)});
    if (place == places_.end()) continue;
    // It was cleared as the one on top.
    if (concepts[column].slot == effect.source_slot) continue;
    const double change =
        double{effect.slots_after[column]} - effect.slots_before[column];
    const double mean = concepts[column].active_mean;
    const double relative = std::abs(change) / (mean > 0 ? mean : 1);
    SideEffects::OffTarget& row = effects_.off_target[place->second];
    if (!(relative <= row.relative)) {
      row.position = effect.position;
      row.change = change;
      row.relative = relative;
    }
    GuardStop stop;
    stop.kind = GuardKind::kOffTarget;
    stop.value = relative;
    stop.position = effect.position;
    stop.checkpoint = checkpoint;
    stop.column = static_cast<int>(column);
    Hold(limits_.off_target, stop);
  }
}

void SideEffectMeter::Add(absl::Span<const InterventionReceipt> receipts,
                          std::optional<double> kl, int position) {
  for (size_t i = 0; i < receipts.size(); ++i) {
    for (const PositionEffect& effect : receipts[i].effects) {
      AddEffect(interventions_[i], effect);
    }
  }
  if (!kl.has_value()) return;
  GuardStop stop;
  stop.kind = GuardKind::kKl;
  stop.value = *kl;
  stop.position = position;
  Hold(limits_.kl, stop);
  if (!stopped_.has_value()) effects_.kl.push_back(static_cast<float>(*kl));
}

}  // namespace alignsae
