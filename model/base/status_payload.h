// Facts that travel with an absl::Status: a reason for programs and when to try
// again. server/api turns them into ErrorInfo and RetryInfo.
//
// Thread-safety: free functions.
//
// Example:
//   return WithRetryAfter(
//       WithReason(absl::ResourceExhaustedError("queue: ..."),
//       kReasonQueueFull), absl::Seconds(1));

#ifndef ALIGNSAE_MODEL_BASE_STATUS_PAYLOAD_H_
#define ALIGNSAE_MODEL_BASE_STATUS_PAYLOAD_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace alignsae {

// All of them are listed in proto/README.md.
inline constexpr char kReasonInvalidField[] = "INVALID_FIELD";
inline constexpr char kReasonPromptTooLong[] = "PROMPT_TOO_LONG";
inline constexpr char kReasonReplyTooLarge[] = "REPLY_TOO_LARGE";
inline constexpr char kReasonUnknownName[] = "UNKNOWN_NAME";
inline constexpr char kReasonNotLoaded[] = "NOT_LOADED";
inline constexpr char kReasonQueueFull[] = "QUEUE_FULL";
inline constexpr char kReasonTokenBudget[] = "TOKEN_BUDGET";
// A limit that none of the others names.
inline constexpr char kReasonLimit[] = "LIMIT";
inline constexpr char kReasonMemory[] = "MEMORY";
inline constexpr char kReasonDeadline[] = "DEADLINE";
inline constexpr char kReasonSlowReader[] = "SLOW_READER";
inline constexpr char kReasonStarting[] = "STARTING";
inline constexpr char kReasonDraining[] = "DRAINING";
inline constexpr char kReasonNonFinite[] = "NON_FINITE_LOGITS";
inline constexpr char kReasonCancelled[] = "CANCELLED";
inline constexpr char kReasonInternal[] = "INTERNAL";
// Who calls is not known; or may not do this; or has done it too often.
inline constexpr char kReasonCredentials[] = "CREDENTIALS";
inline constexpr char kReasonPolicy[] = "POLICY";
inline constexpr char kReasonQuota[] = "QUOTA";

absl::Status WithReason(absl::Status status, absl::string_view reason);
// The reason given, or one that follows from the code.
std::string ReasonOf(const absl::Status& status);

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);
std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_STATUS_PAYLOAD_H_
