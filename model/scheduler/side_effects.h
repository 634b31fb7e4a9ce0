// SideEffectMeter: what an answer's interventions do besides what they are for,
// step by step, and whether that passes a limit.
//
//   norm ratio   norm(change) / norm(h), the largest of all edits
//   off target   change of the slots of the other concepts at edited positions,
//                in their active means (in latent units where that is 0):
//                those that no intervention of the request names, and that was
//                not cleared as the top concept
//   KL           of the steered distribution of each token from what the same
//                model says without interventions after the same tokens
//
// Pure: no clock, no lock.
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_MODEL_SCHEDULER_SIDE_EFFECTS_H_
#define ALIGNSAE_MODEL_SCHEDULER_SIDE_EFFECTS_H_

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/steering/catalog.h"
#include "model/steering/guard.h"
#include "model/steering/intervention.h"
#include "model/steering/receipt.h"

namespace alignsae {

struct SideEffects {
  struct OffTarget {
    int checkpoint = 0;
    int column = 0;       // Concept.
    int position = 0;     // Where it changed most.
    double change = 0;    // After minus before, there.
    double relative = 0;  // Its size in active means.
  };
  std::vector<OffTarget> off_target;  // By checkpoint and column.
  std::optional<double> norm_ratio;   // nullopt: nothing was edited.
  std::vector<float> kl;              // Of each generated token.
};

class SideEffectMeter {
 public:
  // `interventions` and `catalog` must outlive the meter.
  SideEffectMeter(const std::vector<Intervention>& interventions,
                  const GuardLimits& limits, const Catalog& catalog);

  // What one step did: receipts with every position of it, of interventions
  // that measure, and the KL of the token at `position` that it chose.
  void Add(absl::Span<const InterventionReceipt> receipts,
           std::optional<double> kl, int position);

  // The first limit that was passed.
  const std::optional<GuardStop>& stopped() const { return stopped_; }
  // Without the KL of a token that a limit has taken out.
  const SideEffects& effects() const { return effects_; }

 private:
  void AddEffect(const Intervention& intervention,
                 const PositionEffect& effect);
  void AddSlots(const Intervention& intervention, const PositionEffect& effect);
  // Notes that `stop.value` is above `limit`, if it is the first.
  void Hold(const std::optional<double>& limit, GuardStop stop);

  const std::vector<Intervention>& interventions_;
  const GuardLimits limits_;
  const Catalog& catalog_;
  std::set<std::pair<int, int>> named_;           // Checkpoint and slot.
  std::map<std::pair<int, int>, size_t> places_;  // In effects_.off_target.
  SideEffects effects_;
  std::optional<GuardStop> stopped_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_SIDE_EFFECTS_H_
