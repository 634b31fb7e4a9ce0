#include "model/scheduler/endings.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

absl::Status TryLater(absl::string_view sentence, absl::string_view reason) {
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(sentence), reason),
      absl::Seconds(1));
}

std::string Milliseconds(absl::Duration duration) {
  return absl::FormatDuration(absl::Trunc(duration, absl::Milliseconds(1)));
}

}  // namespace

absl::Status Draining() {
  return WithReason(absl::UnavailableError("server: is shutting down"),
                    kReasonDraining);
}

absl::Status DeadlinePassed() {
  return absl::DeadlineExceededError("deadline: has passed");
}

absl::Status CancelledByClient() {
  return absl::CancelledError("the client cancelled the call");
}

absl::Status SlowReader() {
  return WithReason(
      absl::ResourceExhaustedError("stream: must be read while it is written"),
      kReasonSlowReader);
}

absl::Status Hopeless() {
  return TryLater(
      "deadline: must leave time to run, got too little after the wait for a "
      "slot",
      kReasonDeadline);
}

absl::Status Displaced() {
  return TryLater(
      "queue: is full, and the place is needed for a client that has fewer "
      "requests waiting",
      kReasonQueueFull);
}

absl::Status TooManyTogether(int kv_slots, int sequences) {
  return absl::FailedPreconditionError(
      absl::StrCat("arms: must fit into the server's ", kv_slots,
                   " KV slots, got ", sequences));
}

absl::Status TooLongTogether(int64_t kv_tokens, int64_t tokens) {
  return absl::FailedPreconditionError(absl::StrCat(
      "arms: must fit into the ", kv_tokens,
      " tokens of the server's KV cache with prompt and max_new_tokens, what "
      "they share counted once, got ",
      tokens));
}

absl::Status DeadlineTooSoon(absl::Duration wait, absl::Duration run,
                             absl::Duration left) {
  return WithReason(
      absl::ResourceExhaustedError(
          absl::StrCat("deadline: must leave time to wait about ",
                       Milliseconds(wait), " for a free slot and to run about ",
                       Milliseconds(run), ", got ", Milliseconds(left))),
      kReasonDeadline);
}

absl::Status WhyEnd(const ActiveRequest& request, absl::Time now,
                    bool ending_all) {
  // First, because gRPC cancels a call whose deadline has passed.
  if (now >= request.spec.deadline) return DeadlinePassed();
  if (request.cancelled_at.load() != 0) return CancelledByClient();
  return ending_all ? Draining() : absl::OkStatus();
}

RejectReason RejectReasonOf(const absl::Status& refusal) {
  const std::string reason = ReasonOf(refusal);
  if (reason == kReasonQueueFull) return RejectReason::kQueueFull;
  if (reason == kReasonTokenBudget) return RejectReason::kTokenBudget;
  if (reason == kReasonDraining) return RejectReason::kDraining;
  return RejectReason::kDeadline;
}

}  // namespace alignsae
