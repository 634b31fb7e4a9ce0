// Whether a principal may do what it asks: one decision over all of a parsed
// request, before any of it is submitted.
//
// Thread-safety: free functions.
// Errors: PERMISSION_DENIED, reason POLICY, with the request's field and the
// key of the policy's group: "alpha: must be in [-2, 2] (steer.alpha of group
// editors), got 5".

#ifndef ALIGNSAE_SERVER_POLICY_DECISION_H_
#define ALIGNSAE_SERVER_POLICY_DECISION_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/steering/mode.h"
#include "server/policy/identity.h"

namespace alignsae {

// One intervention, by names.
struct AskedChange {
  // Where it is in the request: "interventions[2]"; "": at its top.
  std::string place;
  InterventionMode mode = InterventionMode::kSwap;
  bool vector = false;  // A direction of the caller's own: no concept.
  // Empty: a slot that is no concept.
  std::string target;
  // Of SWAP and REPLACE; nullopt: whichever concept is on top.
  std::optional<std::string> source;
  // In active means, or a factor; NaN where that cannot be told. nullopt: the
  // mode has none.
  std::optional<double> alpha;
};

// What the request calls its fields.
struct FieldNames {
  const char* target = "target";
  const char* alpha = "alpha";
  const char* source = "source";
};

struct AskedAll {
  std::vector<std::string> checkpoints;  // That are read or edited.
  std::vector<AskedChange> changes;
  FieldNames names;
};

absl::Status DecideRpc(const Principal& principal, absl::string_view rpc);
absl::Status DecideModel(const Principal& principal, absl::string_view model);
absl::Status Decide(const Principal& principal, const AskedAll& asked);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_DECISION_H_
