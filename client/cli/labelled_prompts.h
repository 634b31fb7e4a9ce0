// Labelled prompts of a file (model/base/labelled_line.h has the keys), as
// `validate` asks with them: each of one concept or none.
//
// Thread-safety: free function.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>";
// those of ReadFile.

#ifndef ALIGNSAE_CLIENT_CLI_LABELLED_PROMPTS_H_
#define ALIGNSAE_CLIENT_CLI_LABELLED_PROMPTS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/validation.pb.h"

namespace alignsae {

// Adds the lines of `text` to the request's prompts. Of a file with splits only
// its test lines.
absl::Status AddLabelledPrompts(absl::string_view text, const std::string& file,
                                v1::ValidateBindingRequest& request);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_LABELLED_PROMPTS_H_
