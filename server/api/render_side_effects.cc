#include "server/api/render_side_effects.h"

#include <algorithm>

namespace alignsae {

v1::SideEffects RenderSideEffects(const SideEffects& effects,
                                  const Catalog& catalog) {
  v1::SideEffects wire;
  for (const SideEffects::OffTarget& each : effects.off_target) {
    const CheckpointInfo& checkpoint = catalog.checkpoints[each.checkpoint];
    const Concept& told = checkpoint.concepts[each.column];
    v1::OffTargetSlot* row = wire.add_off_target();
    row->set_checkpoint(checkpoint.name);
    row->set_concept_name(told.name);
    row->set_slot(told.slot);
    row->set_change(each.change);
    row->set_relative_change(each.relative);
    row->set_position(each.position);
    wire.set_max_off_target(std::max(wire.max_off_target(), each.relative));
  }
  double sum = 0;
  for (float kl : effects.kl) {
    wire.add_kl(kl);
    sum += kl;
    wire.set_max_kl(std::max<double>(wire.max_kl(), kl));
  }
  if (!effects.kl.empty()) {
    wire.set_mean_kl(sum / static_cast<double>(effects.kl.size()));
  }
  if (effects.norm_ratio.has_value()) {
    wire.set_max_norm_ratio(*effects.norm_ratio);
  }
  return wire;
}

v1::GuardStop RenderGuardStop(const GuardStop& stop, const Catalog& catalog) {
  v1::GuardStop wire;
  switch (stop.kind) {
    case GuardKind::kNormRatio:
      wire.set_limit(v1::GUARD_LIMIT_NORM_RATIO);
      break;
    case GuardKind::kOffTarget:
      wire.set_limit(v1::GUARD_LIMIT_OFF_TARGET);
      wire.set_concept_name(
          catalog.checkpoints[stop.checkpoint].concepts[stop.column].name);
      break;
    case GuardKind::kKl:
      wire.set_limit(v1::GUARD_LIMIT_KL);
      break;
  }
  wire.set_allowed(stop.limit);
  wire.set_value(stop.value);
  wire.set_position(stop.position);
  return wire;
}

void SetFirstDivergence(const std::vector<int32_t>& baseline_ids,
                        const std::vector<int32_t>& steered_ids,
                        v1::ArmResult* steered) {
  const auto [ours, theirs] =
      std::mismatch(steered_ids.begin(), steered_ids.end(),
                    baseline_ids.begin(), baseline_ids.end());
  if (ours == steered_ids.end() && theirs == baseline_ids.end()) return;
  steered->mutable_side_effects()->set_first_divergence(
      static_cast<int>(ours - steered_ids.begin()));
}

}  // namespace alignsae
