// Reads a policy file and checks all of it.
//
// Thread-safety: free function.
// Errors: INVALID_ARGUMENT "<file>: groups[0].rpcs[1]: must be ..., got ...".

#ifndef ALIGNSAE_SERVER_POLICY_READ_POLICY_H_
#define ALIGNSAE_SERVER_POLICY_READ_POLICY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/policy/policy.h"

namespace alignsae {

// The RPCs that there are, "Service/Method".
struct KnownRpcs {
  std::vector<std::string> users;  // Those that "*" stands for.
  std::vector<std::string> named;  // Those that must be named.
};

// `file` is for messages.
absl::StatusOr<Policy> ReadPolicy(absl::string_view text,
                                  const std::string& file,
                                  const KnownRpcs& rpcs);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_READ_POLICY_H_
