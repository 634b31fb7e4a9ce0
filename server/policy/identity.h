// Who calls: what a transport saw, and the principal of the policy that it is.
//
// In this order, and what is shown must be good: nobody who shows something
// wrong is taken for somebody else.
//   1. A name that a proxy forwards, from a peer whose certificate names one of
//      the policy's proxies; from any other peer it is refused.
//   2. A bearer token.
//   3. A name in the certificate of the TLS peer (subject alternative name).
//   4. Nothing: the policy's anonymous principal, if it has one.
//
// Thread-safety: value types; free function.

#ifndef ALIGNSAE_SERVER_POLICY_IDENTITY_H_
#define ALIGNSAE_SERVER_POLICY_IDENTITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/policy/policy.h"
#include "server/policy/token_list.h"

namespace alignsae {

// The metadata, or headers, that say who calls.
inline constexpr char kAuthorizationKey[] = "authorization";
inline constexpr char kForwardedUserKey[] = "x-forwarded-user";

struct Credentials {
  // Subject alternative names of the certificate that the peer showed and TLS
  // has verified: DNS, URI and e-mail.
  std::vector<std::string> certificate;
  std::string authorization;  // As it was sent; empty: none.
  std::string forwarded;      // As it was sent; empty: none.
};

// What is in force.
struct PolicyState {
  Policy policy;
  TokenList tokens;
};

struct Principal {
  // As the policy calls it; of an entry with a "*" with what it stands for:
  // "staff/anna@example.org".
  std::string name;
  // Whose turn it is and whose quotas: the name, of the anonymous one also the
  // host.
  std::string origin;
  int group = 0;
  std::shared_ptr<const PolicyState> state;  // Never null.

  const Group& rights() const { return state->policy.groups[group]; }
};

// `host`: the peer's address without a port.
// Errors: UNAUTHENTICATED, reason CREDENTIALS, which names what was shown.
absl::StatusOr<Principal> Identify(std::shared_ptr<const PolicyState> state,
                                   const Credentials& shown,
                                   const std::string& host);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_IDENTITY_H_
