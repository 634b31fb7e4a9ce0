// A policy with a principal of every kind, for tests.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_TESTS_POLICY_SMALL_POLICY_H_
#define ALIGNSAE_TESTS_POLICY_SMALL_POLICY_H_

#include <memory>
#include <string>

#include "model/base/file.h"
#include "server/policy/identity.h"
#include "server/policy/read_policy.h"

namespace alignsae {

inline constexpr char kSmallPolicy[] = R"({
  "format_version": 1,
  "groups": [
    {"name": "readers", "rpcs": ["ConceptService/*", "ModelService/GetModel"]},
    {"name": "editors", "rpcs": ["*"], "models": ["small"],
     "checkpoints": ["main"],
     "steer": {"concepts": ["job"], "sources": ["*"], "modes": ["SWAP", "ADD"],
               "alpha": [-2, 2]},
     "quota": {"requests_per_minute": 60, "tokens_per_minute": 600,
               "worker_seconds_per_minute": 30, "slots": 2,
               "bytes": 1048576}},
    {"name": "owners", "rpcs": ["*", "OperatorService/*",
                                "ServerReflection/ServerReflectionInfo"],
     "steer": {"concepts": ["*"], "modes": ["*"], "vectors": true}}],
  "principals": [
    {"name": "anna", "group": "editors", "token": true},
    {"name": "ops", "group": "owners",
     "certificates": ["spiffe://example.org/ops"]},
    {"name": "staff", "group": "editors", "forwarded": ["*@example.org"]},
    {"name": "guest", "group": "readers", "anonymous": true}],
  "proxies": ["envoy.example.org"]
})";

inline KnownRpcs SmallRpcs() {
  return {
      {"ConceptService/ReadConcepts", "ModelService/GetModel",
       "SteeringService/Swap"},
      {"OperatorService/ReloadModel", "ServerReflection/ServerReflectionInfo"}};
}

// The token "secret" is anna's.
inline std::string SmallTokens() {
  return "# Tokens.\n\nanna " + Sha256Hex("secret") + "\n";
}

inline std::shared_ptr<const PolicyState> SmallState() {
  PolicyState state;
  state.policy = ReadPolicy(kSmallPolicy, "policy", SmallRpcs()).value();
  state.tokens = TokenList::Read(SmallTokens(), "tokens", state.policy).value();
  return std::make_shared<const PolicyState>(std::move(state));
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_POLICY_SMALL_POLICY_H_
