// FieldError: a rule that a field of a request or a file breaks, as data until
// the sentence is made of it, once: "<path>: must <rule>, got <value>".
//
// A function that checks a part of a message names fields by their path in that
// part; whoever called it says where the part is (InField). So the path grows
// from the inside out and no text is ever edited. The FieldError travels in the
// absl::Status, beside the reason and the other payloads (status_payload.h),
// which stay as they are.
//
// Thread-safety: value type; free functions.
//
// Example:
//   absl::Status CheckTopP(double top_p) {
//     if (top_p > 0 && top_p <= 1) return absl::OkStatus();
//     return InvalidField("top_p", "be in (0, 1]", top_p);
//   }
//   InField("generation", CheckTopP(1.5));
//       // generation.top_p: must be in (0, 1], got 1.5

#ifndef ALIGNSAE_MODEL_BASE_FIELD_ERROR_H_
#define ALIGNSAE_MODEL_BASE_FIELD_ERROR_H_

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace alignsae {

struct FieldError {
  std::string path;  // "top_p", "prompts[2].text"; "": the part itself.
  std::string rule;  // What it must, as a verb: "be in (0, 1]".
  std::string got;   // The value, and what helps to mend it; "": none to show.
};

// `code` says what kind of rule it is: INVALID_ARGUMENT (a value), NOT_FOUND (a
// name), FAILED_PRECONDITION (what is not loaded).
absl::Status FieldStatus(
    const FieldError& error,
    absl::StatusCode code = absl::StatusCode::kInvalidArgument);

// INVALID_ARGUMENT; `value` is anything that absl::StrCat takes.
template <typename Value>
absl::Status InvalidField(absl::string_view path, absl::string_view rule,
                          const Value& value) {
  return FieldStatus(
      {std::string(path), std::string(rule), absl::StrCat(value)});
}

// nullopt for a status that was not made of one.
std::optional<FieldError> FieldErrorOf(const absl::Status& status);

// "prompts[2]".
inline std::string Indexed(absl::string_view list, size_t index) {
  return absl::StrCat(list, "[", index, "]");
}

// The status of a part, seen from the message that holds the part as `field`.
// OK and statuses without a FieldError stay as they are.
absl::Status InField(absl::string_view field, absl::Status status);
template <typename T>
absl::StatusOr<T> InField(absl::string_view field, absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return InField(field, std::move(result).status());
}

// The status of code that calls `from` what the caller calls `to`: a path that
// is `from`, or lies in it, starts with `to` instead.
absl::Status RenameField(absl::string_view from, absl::string_view to,
                         absl::Status status);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_FIELD_ERROR_H_
