// TokenList: bearer tokens by their SHA-256. A token itself is stored nowhere:
// not in the file, not in the process once the call has been identified, never
// in a log.
//
// The file: a line for each token, "NAME SHA256", NAME that of a principal of
// the policy with "token": true, SHA256 64 hexadecimal digits of the token's
// bytes; empty lines, and lines that begin with #, are skipped. A principal may
// have several, so that one can be replaced by the next.
//
// Tokens are to be random (32 bytes); SHA-256 protects them because of that,
// and would not protect passwords.
//
// Thread-safety: immutable.
// Errors: INVALID_ARGUMENT "<file>: line 3: must be ..., got ...".

#ifndef ALIGNSAE_SERVER_POLICY_TOKEN_LIST_H_
#define ALIGNSAE_SERVER_POLICY_TOKEN_LIST_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/policy/policy.h"

namespace alignsae {

class TokenList {
 public:
  static absl::StatusOr<TokenList> Read(absl::string_view text,
                                        const std::string& file,
                                        const Policy& policy);

  // Whose token it is; empty: nobody's. Looks at every one, and at each in a
  // time that does not tell where it differs.
  std::string OwnerOf(absl::string_view token) const;

 private:
  std::vector<std::pair<std::string, std::string>> tokens_;  // Name, digest.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_TOKEN_LIST_H_
