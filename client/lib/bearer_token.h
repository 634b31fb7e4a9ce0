// The bearer token that a program of ours sends, and where it may go.
//
// Thread-safety: a function.

#ifndef ALIGNSAE_CLIENT_LIB_BEARER_TOKEN_H_
#define ALIGNSAE_CLIENT_LIB_BEARER_TOKEN_H_

#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

// What the file holds, or ALIGNSAE_TOKEN where `file` is empty: a command line
// can be read by every user of the host. Empty: there is none.
// Errors: those of reading a file; INVALID_ARGUMENT "--token-file: ..." for a
// file without a token, and for one that would travel in the open: without
// `tls` to a server (servers.h) that is not on this host.
absl::StatusOr<std::string> BearerToken(const std::string& file, bool tls,
                                        const std::string& server);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LIB_BEARER_TOKEN_H_
