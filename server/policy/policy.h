// Policy: who may do what. What is not allowed here is refused.
//
// The file (JSON; every key is checked, none other is taken):
//
//   {"format_version": 1,
//    "groups": [
//      {"name": "readers", "rpcs": ["ConceptService/*", "ModelService/*"]},
//      {"name": "editors", "rpcs": ["*"], "models": ["demo"],
//       "checkpoints": ["demo"],
//       "steer": {"concepts": ["employer"], "sources": ["*"],
//                 "modes": ["SWAP"], "alpha": [-2, 2], "vectors": false},
//       "quota": {"requests_per_minute": 600, "tokens_per_minute": 100000,
//                 "worker_seconds_per_minute": 30, "slots": 4,
//                 "bytes": 8388608}}],
//    "principals": [
//      {"name": "anna", "group": "editors",
//       "certificates": ["spiffe://example.org/anna"]},
//      {"name": "ci", "group": "readers", "token": true},
//      {"name": "staff", "group": "readers", "forwarded": ["*@example.org"]},
//      {"name": "guests", "group": "readers", "anonymous": true}],
//    "proxies": ["spiffe://example.org/envoy"]}
//
// A group says what its principals may do, a principal is in one group, so that
// for every refusal there is one key that could be changed. Lists hold names,
// "*" is all of them. `rpcs` must be there ("Service/Method" or "Service/*";
// "*" is every RPC but those for operators and reflection, which are to be
// named); `models` and `checkpoints` left out are all; `steer` left out is no
// intervention at all.
//
// A certificate's name, and one that a proxy forwards, may have one "*", for
// any text. Such an entry is many principals, each with turns and quotas of
// its own.
//
// Thread-safety: immutable; share by const pointer.

#ifndef ALIGNSAE_SERVER_POLICY_POLICY_H_
#define ALIGNSAE_SERVER_POLICY_POLICY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/steering/mode.h"

namespace alignsae {

struct NameSet {
  bool all = false;
  std::set<std::string, std::less<>> names;

  bool Allows(absl::string_view name) const {
    return all || names.find(name) != names.end();
  }
  // For messages: "one of employer, major", "none".
  std::string ToString() const;
};

// A name with at most one "*".
bool MatchesName(absl::string_view pattern, absl::string_view name);

struct SteeringRights {
  NameSet concepts;  // That may be written, or cleared by a mode of one slot.
  NameSet sources;   // That SWAP and REPLACE may clear.
  std::set<InterventionMode> modes;
  // Of alpha in active means, or as a factor; a RAW alpha is divided by the
  // concept's active mean.
  std::optional<std::pair<double, double>> alpha;
  bool vectors = false;  // Directions of the caller's own.
};

// 0: no limit.
struct Quota {
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;  // Prompt + max_new_tokens of every sequence.
  // Of the lanes' threads: parsing, and all work of the background lane.
  int64_t worker_seconds_per_minute = 0;
  int slots = 0;      // KV slots held at once; at least 2.
  int64_t bytes = 0;  // Of requests that wait, and of answers not yet taken.
};

struct Group {
  std::string name;
  NameSet rpcs;  // "Service/Method".
  NameSet models;
  NameSet checkpoints;
  std::optional<SteeringRights> steer;
  Quota quota;
};

// An entry of `principals`: who is in a group, and how they show it.
struct PrincipalEntry {
  std::string name;
  int group = 0;  // Index into Policy::groups.
  std::vector<std::string> certificates;
  std::vector<std::string> forwarded;
  bool token = false;
  bool anonymous = false;
};

struct Policy {
  std::vector<Group> groups;
  std::vector<PrincipalEntry> principals;
  std::vector<std::string> proxies;  // Names in their certificates.

  // nullptr: there is none.
  const PrincipalEntry* Find(absl::string_view name) const;
  const PrincipalEntry* Anonymous() const;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_POLICY_H_
