#include "model/scheduler/prefix_rules.h"

#include <algorithm>
#include <climits>

namespace alignsae {

int TakeableTokens(const SequenceSpec& spec) {
  if (spec.prompt_logprobs.has_value()) return 0;
  const int last = static_cast<int>(spec.prompt.size()) - 1;
  int tokens = std::min(last, UneditedPositions(spec));
  for (const Observation& observation : spec.observations) {
    if (observation.positions.empty()) continue;
    tokens = std::min(tokens, observation.positions.front());
  }
  return tokens;
}

int UneditedPositions(const SequenceSpec& spec) {
  int positions = INT_MAX;
  for (const Intervention& intervention : *spec.interventions) {
    const ResolvedPositions& edited = intervention.positions;
    if (!edited.prompt.empty()) {
      positions = std::min(positions, edited.prompt.front());
    } else if (edited.generated) {
      positions = std::min(positions, static_cast<int>(spec.prompt.size()));
    }
  }
  return positions;
}

int BlocksOf(const SequenceSpec& spec, const Catalog& catalog) {
  if (spec.max_new_tokens > 0) return catalog.model.n_layer;
  int blocks = 0;
  for (const Observation& observation : spec.observations) {
    const HookPoint& hook = catalog.checkpoints[observation.checkpoint].hook;
    blocks = std::max(blocks, hook.site_behind());
  }
  return blocks;
}

}  // namespace alignsae
