// Strict JSON for files that we do not trust: duplicate keys, deep nesting,
// trailing bytes, a byte-order mark, a NUL and invalid UTF-8 are errors, not
// surprises.
//
// Thread-safety: free functions without shared state.
// Errors: INVALID_ARGUMENT with the rule and the byte offset.

#ifndef ALIGNSAE_MODEL_BASE_JSON_H_
#define ALIGNSAE_MODEL_BASE_JSON_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct JsonLimits {
  int max_depth = 16;  // Arrays and objects inside each other.
  // Of the whole document, containers included. A value takes 16 bytes and more
  // in memory and as few as 2 in the text.
  int64_t max_values = int64_t{1} << 20;
};

absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text,
                                         const JsonLimits& limits = {});

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_JSON_H_
