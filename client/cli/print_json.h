// Messages as JSON on stdout, with their default values.
//
// Thread-safety: as stdout.

#ifndef ALIGNSAE_CLIENT_CLI_PRINT_JSON_H_
#define ALIGNSAE_CLIENT_CLI_PRINT_JSON_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace alignsae {

// One message and a new line; without `add_whitespace` it is one line.
absl::Status PrintJson(const google::protobuf::Message& message,
                       bool add_whitespace);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_PRINT_JSON_H_
