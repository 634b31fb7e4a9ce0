#include "server/metrics/slot_activity.h"

#include <cstddef>
#include <map>

namespace alignsae {
namespace {

ConceptActivity Since(const ConceptActivity& earlier, ConceptActivity now) {
  now.top -= earlier.top;
  now.count -= earlier.count;
  now.ratio_sum -= earlier.ratio_sum;
  for (size_t i = 0; i < earlier.ratio_counts.size(); ++i) {
    now.ratio_counts[i] -= earlier.ratio_counts[i];
  }
  return now;
}

}  // namespace

const std::vector<double>& ActivationRatioBounds() {
  static const auto* const bounds =
      new std::vector<double>{0, .1, .25, .5, .75, 1, 1.25, 1.5, 2, 3, 5};
  return *bounds;
}

SlotActivity Since(const SlotActivity& earlier, const SlotActivity& now) {
  SlotActivity since;
  since.unbound = now.unbound - earlier.unbound;
  if (now.outside.has_value()) {
    since.outside = *now.outside - earlier.outside.value_or(0);
  }
  std::map<std::string, const ConceptActivity*> before;
  for (const ConceptActivity& one : earlier.concepts) before[one.label] = &one;
  for (const ConceptActivity& one : now.concepts) {
    const auto found = before.find(one.label);
    since.concepts.push_back(
        found == before.end() ? one : Since(*found->second, one));
  }
  std::map<std::pair<std::string, std::string>, int64_t> pairs;
  for (const SteeredPair& pair : earlier.steered) {
    pairs[{pair.source, pair.target}] = pair.count;
  }
  for (SteeredPair pair : now.steered) {
    const auto found = pairs.find({pair.source, pair.target});
    if (found != pairs.end()) pair.count -= found->second;
    if (pair.count > 0) since.steered.push_back(std::move(pair));
  }
  return since;
}

}  // namespace alignsae
