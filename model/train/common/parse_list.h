// Options that are lists: "0.5,1,2".
//
// Thread-safety: pure function.
// Errors: those of `parse`; INVALID_ARGUMENT for a part that is there twice.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_PARSE_LIST_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_PARSE_LIST_H_

#include <algorithm>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {

// The parts of `text` between commas, each through `parse` (string_view ->
// StatusOr<T>). `name` is the option's, for messages.
template <typename T, typename Parse>
absl::StatusOr<std::vector<T>> ParseList(absl::string_view name,
                                         absl::string_view text, Parse parse) {
  std::vector<T> values;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    ALIGNSAE_ASSIGN_OR_RETURN(T value, parse(part));
    if (std::find(values.begin(), values.end(), value) != values.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": must name each once, got ", Quoted(part), " again"));
    }
    values.push_back(std::move(value));
  }
  return values;
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_PARSE_LIST_H_
