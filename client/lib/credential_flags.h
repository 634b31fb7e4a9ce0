// The flags by which a program of ours says who asks and how it connects, and
// what they name.
//
// Thread-safety: a value type; functions.

#ifndef ALIGNSAE_CLIENT_LIB_CREDENTIAL_FLAGS_H_
#define ALIGNSAE_CLIENT_LIB_CREDENTIAL_FLAGS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "client/lib/bearer_token.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {

struct CredentialFlags {
  std::string token_file;
  std::string tls_ca, tls_cert, tls_key;
};

// --token-file, --tls-ca, --tls-cert and --tls-key. `flags` must outlive `app`.
void AddCredentialFlags(CLI::App& app, CredentialFlags& flags);

// Fills `options` (ClientOptions, LoadOptions), whose target is known. Errors:
// those of BearerToken and of reading a file.
template <typename Options>
absl::Status ReadCredentials(const CredentialFlags& flags, Options& options) {
  options.tls = !flags.tls_ca.empty() || !flags.tls_cert.empty();
  ALIGNSAE_ASSIGN_OR_RETURN(
      options.token,
      BearerToken(flags.token_file, options.tls, options.target));
  for (auto [path, pem] : {std::pair{&flags.tls_ca, &options.ca_pem},
                           {&flags.tls_cert, &options.certificate_pem},
                           {&flags.tls_key, &options.key_pem}}) {
    if (path->empty()) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(*pem, ReadFile(*path));
  }
  return absl::OkStatus();
}

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LIB_CREDENTIAL_FLAGS_H_
