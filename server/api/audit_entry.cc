#include "server/api/audit_entry.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "server/api/asked_changes.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxListed = 256;

Json DescribeCondition(const ReadingCondition& when, const Catalog& catalog) {
  Json json;
  const CheckpointInfo& checkpoint = catalog.checkpoints[when.checkpoint];
  json["concept"] = checkpoint.concepts[when.column].name;
  if (when.bound.has_value()) json["bound"] = *when.bound;
  if (when.above.has_value()) json["above"] = *when.above;
  return json;
}

Json Describe(const Intervention& intervention, const Catalog& catalog) {
  Json json;
  json["mode"] = std::string(InterventionModeName(intervention.mode));
  if (intervention.vector != nullptr) {
    json["vector"] = true;
  } else {
    const CheckpointInfo& checkpoint =
        catalog.checkpoints[intervention.checkpoint];
    json["checkpoint"] = checkpoint.name;
    const std::string target = ConceptAt(checkpoint, intervention.target_slot);
    if (!target.empty()) json["concept"] = target;
    json["slot"] = intervention.target_slot;
    if (intervention.source_slot.has_value()) {
      const std::string source =
          ConceptAt(checkpoint, *intervention.source_slot);
      if (!source.empty()) json["source_concept"] = source;
      json["source_slot"] = *intervention.source_slot;
    }
  }
  if (HasAlpha(intervention.mode)) json["alpha"] = intervention.alpha;
  if (HasAlphaUnit(intervention.mode)) {
    json["unit"] = intervention.unit == AlphaUnit::kRaw ? "RAW" : "ACTIVE_MEAN";
  }
  json["hook"] = catalog.HookOf(intervention).ToString();
  const std::vector<int>& positions = intervention.positions.prompt;
  const size_t shown = std::min<size_t>(positions.size(), kMaxReceiptPositions);
  json["positions"] =
      std::vector<int>(positions.begin(),
                       positions.begin() + static_cast<std::ptrdiff_t>(shown));
  json["position_count"] = positions.size();
  json["generated"] = intervention.positions.generated;
  if (intervention.when.has_value()) {
    json["when"] = DescribeCondition(*intervention.when, catalog);
  }
  return json;
}

}  // namespace

void AuditEntry::SetAsked(const RequestSpec& spec, const Catalog& catalog) {
  model_ = catalog.model.name;
  generation_ = catalog.generation;
  std::set<const void*> seen;
  for (const SequenceSpec& sequence : spec.sequences) {
    if (!seen.insert(sequence.interventions.get()).second) continue;
    for (const Intervention& intervention : *sequence.interventions) {
      if (interventions_.size() < kMaxListed) {
        interventions_.push_back(Describe(intervention, catalog));
      } else {
        ++more_;
      }
    }
  }
}

void AuditEntry::AddFinished(const SequenceFinished& finished) {
  for (const InterventionReceipt& receipt : finished.receipts) {
    ran_ = true;
    positions_applied_ += receipt.positions_applied;
    for (const PositionEffect& effect : receipt.effects) {
      const double ratio = effect.change_norm / effect.residual_norm;
      if (std::isfinite(ratio)) norm_ratio_ = std::max(norm_ratio_, ratio);
    }
  }
}

void AuditEntry::AddTo(Json& line) const {
  if (!model_.empty()) {
    line["model"] = model_;
    line["generation_id"] = generation_;
  }
  if (steers()) line["interventions"] = interventions_;
  if (more_ > 0) line["more_interventions"] = more_;
  if (!ran_) return;
  line["positions_applied"] = positions_applied_;
  line["norm_ratio"] = norm_ratio_;
}

}  // namespace alignsae
