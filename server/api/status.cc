#include "server/api/status.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "model/base/field_error.h"
#include "model/base/random_id.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Trailers share 8 KiB with the client's other metadata.
constexpr size_t kMaxMessageBytes = 1024;

bool IsForClients(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return true;
    default:
      return false;
  }
}

// At most kMaxMessageBytes, not ending inside a character.
std::string Shortened(absl::string_view message) {
  if (message.size() <= kMaxMessageBytes) return std::string(message);
  size_t size = kMaxMessageBytes;
  while (size > 0 &&
         (static_cast<unsigned char>(message[size]) & 0xc0) == 0x80) {
    --size;
  }
  return absl::StrCat(message.substr(0, size), "...");
}

}  // namespace

WireStatus ToWireStatus(const absl::Status& status,
                        absl::string_view request_id) {
  WireStatus wire;
  if (status.ok()) return wire;
  google::rpc::ErrorInfo info;
  info.set_domain(kErrorDomain);
  (*info.mutable_metadata())["request_id"] = std::string(request_id);
  google::rpc::Status details;
  const std::optional<absl::Duration> retry_after = RetryAfterOf(status);
  // With a time to try again it is the budget for calls that has no room, and
  // nothing has failed.
  if (ReasonOf(status) == kReasonMemory && !retry_after.has_value()) {
    wire.internal_id = RandomId();
    details.set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
    details.set_message(absl::StrCat(
        "server: is out of memory for this request; ask for fewer prompts, "
        "arms, cells or top_k, or shorter prompts; the server's log tells more "
        "under ",
        wire.internal_id));
    info.set_reason(kReasonMemory);
    (*info.mutable_metadata())["error_id"] = wire.internal_id;
  } else if (IsForClients(status.code())) {
    details.set_code(static_cast<int>(status.code()));
    details.set_message(Shortened(status.message()));
    if (const std::optional<FieldError> error = FieldErrorOf(status)) {
      wire.field = error->path;
    }
    info.set_reason(ReasonOf(status));
  } else {
    wire.internal_id = RandomId();
    details.set_code(static_cast<int>(absl::StatusCode::kInternal));
    details.set_message(
        absl::StrCat("internal error ", wire.internal_id,
                     "; the server's log tells more under this id"));
    info.set_reason(kReasonInternal);
    (*info.mutable_metadata())["error_id"] = wire.internal_id;
  }
  details.add_details()->PackFrom(info);
  if (retry_after.has_value()) {
    const int64_t milliseconds = absl::ToInt64Milliseconds(*retry_after);
    wire.retry_pushback = absl::StrCat(milliseconds);
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(milliseconds / 1000);
    retry.mutable_retry_delay()->set_nanos(
        static_cast<int32_t>(milliseconds % 1000) * 1000000);
    details.add_details()->PackFrom(retry);
  } else if (absl::IsResourceExhausted(status)) {
    // A negative pushback tells clients not to try again (gRFC A6).
    wire.retry_pushback = "-1";
  }
  wire.code = static_cast<absl::StatusCode>(details.code());
  wire.message = details.message();
  wire.reason = info.reason();
  wire.details = details.SerializeAsString();
  return wire;
}

}  // namespace alignsae
