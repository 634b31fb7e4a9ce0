#include "model/scheduler/fork_plan.h"

#include <algorithm>

#include "model/scheduler/prefix_rules.h"

namespace alignsae {

int PartingPosition(const SequenceSpec& variant) {
  const int last = static_cast<int>(variant.prompt.size()) - 1;
  return std::min(last, UneditedPositions(variant));
}

int ChunkCost(const PromptFork& fork, int begin, int end, int variants) {
  const int parting = std::clamp(fork.position, begin, end);
  return parting - begin + (end - parting) * variants;
}

int ChunkEnd(const PromptFork& fork, int begin, int limit, int variants,
             int budget) {
  const int shared = std::max(0, fork.position - begin);
  const int end = budget <= shared
                      ? begin + budget
                      : begin + shared + (budget - shared) / variants;
  return std::clamp(end, begin + 1, limit);
}

PromptFork PlanFork(const std::vector<const SequenceSpec*>& variants,
                    const Catalog& catalog) {
  PromptFork fork;
  fork.length = static_cast<int>(variants.front()->prompt.size());
  fork.site = catalog.model.n_layer;
  fork.position = fork.length - 1;
  for (const SequenceSpec* variant : variants) {
    fork.position = std::min(fork.position, PartingPosition(*variant));
    for (const Intervention& intervention : *variant->interventions) {
      const std::vector<int>& edited = intervention.positions.prompt;
      if (edited.empty()) continue;
      const HookPoint& hook = catalog.HookOf(intervention);
      fork.site = std::min(fork.site, hook.site());
    }
  }
  return fork;
}

}  // namespace alignsae
