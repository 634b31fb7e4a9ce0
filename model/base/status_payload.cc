#include "model/base/status_payload.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace alignsae {
namespace {

constexpr char kReasonUrl[] = "alignsae.v1/reason";
constexpr char kRetryUrl[] = "alignsae.v1/retry_after_ms";

const char* DefaultReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return kReasonInvalidField;
    case absl::StatusCode::kNotFound:
      return kReasonUnknownName;
    case absl::StatusCode::kFailedPrecondition:
      return kReasonNotLoaded;
    case absl::StatusCode::kOutOfRange:
      return kReasonNonFinite;
    case absl::StatusCode::kDeadlineExceeded:
      return kReasonDeadline;
    case absl::StatusCode::kCancelled:
      return kReasonCancelled;
    case absl::StatusCode::kUnavailable:
      return kReasonDraining;
    case absl::StatusCode::kResourceExhausted:
      return kReasonLimit;
    case absl::StatusCode::kUnauthenticated:
      return kReasonCredentials;
    case absl::StatusCode::kPermissionDenied:
      return kReasonPolicy;
    default:
      return kReasonInternal;
  }
}

}  // namespace

absl::Status WithReason(absl::Status status, absl::string_view reason) {
  status.SetPayload(kReasonUrl, absl::Cord(reason));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> reason = status.GetPayload(kReasonUrl);
  return reason.has_value() ? std::string(*reason)
                            : DefaultReason(status.code());
}

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryUrl,
                    absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(delay))));
  return status;
}

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRetryUrl);
  int64_t milliseconds = 0;
  if (!payload.has_value() ||
      !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

}  // namespace alignsae
