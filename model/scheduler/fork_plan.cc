#include "model/scheduler/fork_plan.h"

#include <algorithm>

namespace alignsae {

int ForkPlan::Cost(int begin, int end, int variants) const {
  const int parting = std::clamp(position, begin, end);
  return parting - begin + (end - parting) * variants;
}

int ForkPlan::EndWithin(int begin, int limit, int variants, int budget) const {
  const int shared = std::max(0, position - begin);
  const int apart = std::max(0, budget - shared) / std::max(1, variants);
  const int end =
      budget <= shared ? begin + budget : std::max(begin, position) + apart;
  return std::clamp(end, begin + 1, limit);
}

ForkPlan PlanFork(const std::vector<const SequenceSpec*>& variants,
                  const Catalog& catalog) {
  ForkPlan plan;
  plan.site = catalog.model.n_layer;
  plan.position = static_cast<int>(variants.front()->prompt.size()) - 1;
  for (const SequenceSpec* variant : variants) {
    for (const Intervention& intervention : *variant->interventions) {
      const std::vector<int>& edited = intervention.positions.prompt;
      if (edited.empty()) continue;
      const HookPoint& hook = catalog.checkpoints[intervention.checkpoint].hook;
      plan.site = std::min(plan.site, hook.site());
      plan.position = std::min(plan.position, edited.front());
    }
  }
  return plan;
}

}  // namespace alignsae
