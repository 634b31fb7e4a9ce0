// Why a request is refused, or ends before its answer is complete: each reason
// is one status, with its code, its sentence and its reason for programs, made
// here and nowhere else.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_MODEL_SCHEDULER_ENDINGS_H_
#define ALIGNSAE_MODEL_SCHEDULER_ENDINGS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/scheduler/active_request.h"
#include "model/scheduler/observer.h"

namespace alignsae {

absl::Status Draining();
absl::Status DeadlinePassed();
absl::Status CancelledByClient();
// The peer left too much unread, or for too long. ReasonOf() is
// kReasonSlowReader; no other ending has it.
absl::Status SlowReader();
// Was taken, and then had to go before it ran: no time is left to run, or
// another client needs the place.
absl::Status Hopeless();
absl::Status Displaced();
absl::Status TooManyTogether(int kv_slots, int sequences);
absl::Status TooLongTogether(int64_t kv_tokens, int64_t tokens);
// The deadline is before a wait and a run of about this long are over.
absl::Status DeadlineTooSoon(absl::Duration wait, absl::Duration run,
                             absl::Duration left);

// Why `request` may not go on, waiting or running; OK while it may. A request
// is over at its deadline, not only after it.
absl::Status WhyEnd(const ActiveRequest& request, absl::Time now,
                    bool ending_all);

// The label under which a refusal is counted.
RejectReason RejectReasonOf(const absl::Status& refusal);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_ENDINGS_H_
