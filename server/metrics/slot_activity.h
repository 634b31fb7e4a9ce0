// SlotActivity: what the slots of a checkpoint did, as numbers: the same that
// the metrics count, for who wants to look at them while they change.
//
// Names are the labels of the metrics (concept_families.h).
//
// Thread-safety: value types; free functions.

#ifndef ALIGNSAE_SERVER_METRICS_SLOT_ACTIVITY_H_
#define ALIGNSAE_SERVER_METRICS_SLOT_ACTIVITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace alignsae {

struct ConceptActivity {
  std::string label;
  int64_t top = 0;  // Prompts on which it was on top and bound.
  // Slot value over its calibrated mean, at the last tokens of prompts.
  int64_t count = 0;
  double ratio_sum = 0;
  std::vector<int64_t> ratio_counts;  // By ActivationRatioBounds, and above.
};

struct SteeredPair {
  std::string source;
  std::string target;
  int64_t count = 0;
};

struct SlotActivity {
  int64_t unbound = 0;  // Prompts on which no slot was bound.
  // Prompts outside of what the checkpoint knows; nullopt: it has no gate.
  std::optional<int64_t> outside = std::nullopt;
  std::vector<ConceptActivity> concepts;
  std::vector<SteeredPair> steered;
};

struct CheckpointActivity {
  std::string checkpoint;
  SlotActivity total;  // Since the metrics were made.
  // Label and share of the bundle's test prompts; empty: unknown.
  std::vector<std::pair<std::string, double>> reference;
};

// Rising.
const std::vector<double>& ActivationRatioBounds();

// What `now` has more than `earlier`, which may have fewer concepts and pairs.
// Pairs without anything new are left out.
SlotActivity Since(const SlotActivity& earlier, const SlotActivity& now);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_SLOT_ACTIVITY_H_
