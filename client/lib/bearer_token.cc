#include "client/lib/bearer_token.h"

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/lib/servers.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::StatusOr<std::string> BearerToken(const std::string& file, bool tls,
                                        const std::string& server) {
  std::string token;
  if (file.empty()) {
    const char* given = std::getenv("ALIGNSAE_TOKEN");
    if (given != nullptr) token = given;
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(token, ReadFile(file));
    absl::StripAsciiWhitespace(&token);
    if (token.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--token-file: must hold a token, got an empty ", file));
    }
  }
  if (!token.empty() && !tls && !IsOnThisHost(server)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--token-file: must not travel in the open; use TLS (--tls-ca) to ",
        server));
  }
  return token;
}

}  // namespace alignsae
