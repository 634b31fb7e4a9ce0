#include "server/api/asked_changes.h"

#include <limits>
#include <optional>
#include <set>

#include "model/base/field_error.h"
#include "server/api/methods.h"

namespace alignsae {
namespace {

// In active means, as the policy has it.
std::optional<double> AlphaOf(const Intervention& intervention,
                              const Catalog& catalog) {
  if (!HasAlpha(intervention.mode)) return std::nullopt;
  if (!HasAlphaUnit(intervention.mode) ||
      intervention.unit != AlphaUnit::kRaw) {
    return intervention.alpha;
  }
  for (const Concept& known :
       catalog.checkpoints[intervention.checkpoint].concepts) {
    if (known.slot == intervention.target_slot && known.active_mean > 0) {
      return intervention.alpha / known.active_mean;
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

AskedChange ChangeOf(const Intervention& intervention, const Catalog& catalog) {
  AskedChange change;
  change.mode = intervention.mode;
  change.vector = intervention.vector != nullptr;
  change.alpha = AlphaOf(intervention, catalog);
  if (change.vector) return change;
  const CheckpointInfo& checkpoint =
      catalog.checkpoints[intervention.checkpoint];
  change.target = ConceptAt(checkpoint, intervention.target_slot);
  if (intervention.source_slot.has_value()) {
    change.source = ConceptAt(checkpoint, *intervention.source_slot);
  }
  return change;
}

}  // namespace

std::string ConceptAt(const CheckpointInfo& checkpoint, int slot) {
  for (const Concept& known : checkpoint.concepts) {
    if (known.slot == slot) return known.name;
  }
  return "";
}

AskedAll AskedOf(absl::string_view method, const RequestSpec& spec,
                 const Catalog& catalog) {
  AskedAll asked;
  if (method == kRpcSweepAlpha) asked.names = {"targets", "alphas"};
  if (method == kRpcSwapMatrix) {
    asked.names = {"concepts", "alpha", "concepts"};
  }
  if (method == kRpcFindAlpha) {
    asked.names = {"target", "min_alpha and max_alpha"};
  }
  const bool listed = method == kRpcGenerate || method == kRpcComplete;
  std::set<int> checkpoints;
  std::set<const void*> seen;  // Arms and cells may share a list.
  for (const SequenceSpec& sequence : spec.sequences) {
    if (sequence.reading_checkpoint.has_value()) {
      checkpoints.insert(*sequence.reading_checkpoint);
    }
    for (const Observation& observation : sequence.observations) {
      checkpoints.insert(observation.checkpoint);
    }
    const std::vector<Intervention>& list = *sequence.interventions;
    if (!seen.insert(&list).second) continue;
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].vector == nullptr) checkpoints.insert(list[i].checkpoint);
      AskedChange& change =
          asked.changes.emplace_back(ChangeOf(list[i], catalog));
      if (listed) change.place = Indexed("interventions", i);
    }
  }
  for (int checkpoint : checkpoints) {
    asked.checkpoints.push_back(catalog.checkpoints[checkpoint].name);
  }
  return asked;
}

}  // namespace alignsae
