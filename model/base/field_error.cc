#include "model/base/field_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/types/optional.h"

namespace alignsae {
namespace {

constexpr char kPathUrl[] = "alignsae.v1/field_path";
constexpr char kRuleUrl[] = "alignsae.v1/field_rule";
constexpr char kGotUrl[] = "alignsae.v1/field_got";

std::string Sentence(const FieldError& error) {
  std::string sentence;
  if (!error.path.empty()) absl::StrAppend(&sentence, error.path, ": ");
  absl::StrAppend(&sentence, "must ", error.rule);
  if (!error.got.empty()) absl::StrAppend(&sentence, ", got ", error.got);
  return sentence;
}

// `old` with another FieldError: its code and its other payloads.
absl::Status WithField(const absl::Status& old, const FieldError& error) {
  absl::Status status = FieldStatus(error, old.code());
  old.ForEachPayload([&status](absl::string_view url, const absl::Cord& data) {
    if (!status.GetPayload(url).has_value()) status.SetPayload(url, data);
  });
  return status;
}

// "a" and "b.c" give "a.b.c", "a" and "[2]" give "a[2]".
std::string Joined(absl::string_view field, absl::string_view path) {
  const bool dot = !field.empty() && !path.empty() && path.front() != '[';
  return absl::StrCat(field, dot ? "." : "", path);
}

}  // namespace

absl::Status FieldStatus(const FieldError& error, absl::StatusCode code) {
  absl::Status status(code, Sentence(error));
  status.SetPayload(kPathUrl, absl::Cord(error.path));
  status.SetPayload(kRuleUrl, absl::Cord(error.rule));
  status.SetPayload(kGotUrl, absl::Cord(error.got));
  return status;
}

std::optional<FieldError> FieldErrorOf(const absl::Status& status) {
  const absl::optional<absl::Cord> path = status.GetPayload(kPathUrl);
  const absl::optional<absl::Cord> rule = status.GetPayload(kRuleUrl);
  const absl::optional<absl::Cord> got = status.GetPayload(kGotUrl);
  if (!path.has_value() || !rule.has_value() || !got.has_value()) {
    return std::nullopt;
  }
  return FieldError{std::string(*path), std::string(*rule), std::string(*got)};
}

absl::Status InField(absl::string_view field, absl::Status status) {
  std::optional<FieldError> error = FieldErrorOf(status);
  if (!error.has_value()) return status;
  error->path = Joined(field, error->path);
  return WithField(status, *error);
}

absl::Status RenameField(absl::string_view from, absl::string_view to,
                         absl::Status status) {
  std::optional<FieldError> error = FieldErrorOf(status);
  if (!error.has_value() || !absl::StartsWith(error->path, from)) return status;
  const absl::string_view rest =
      absl::string_view(error->path).substr(from.size());
  if (!rest.empty() && rest.front() != '.' && rest.front() != '[') {
    return status;  // Another field, whose name only starts alike.
  }
  error->path = absl::StrCat(to, rest);
  return WithField(status, *error);
}

}  // namespace alignsae
