// Files of one JSON value a line.
//
// Thread-safety: free function.
// Errors: INVALID_ARGUMENT "<place>: <what>" for a line that is not JSON; those
// of `read`.

#ifndef ALIGNSAE_MODEL_BASE_JSON_LINES_H_
#define ALIGNSAE_MODEL_BASE_JSON_LINES_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct JsonLine {
  const nlohmann::json& value;
  int number;         // From 1.
  std::string place;  // For messages: `before_number` and the number.
};

// Calls `read` with each line of `text` that is not blank, until one fails.
absl::Status ForEachJsonLine(
    absl::string_view text, absl::string_view before_number,
    const std::function<absl::Status(const JsonLine&)>& read);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_JSON_LINES_H_
