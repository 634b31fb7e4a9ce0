// Call: the life of one RPC, whatever the transport: who calls, until when,
// whether anybody still waits, metrics and one log line. Never with prompt
// text.
//
// The transport makes it when the RPC arrives, tells it of a cancel, and sends
// what End gives. Shared by the transport and the work that is under way: it is
// gone with the last of them, and counts in RpcEnv::open_calls until then.
//
// A call holds memory of RpcEnv's budgets: for its request while it waits for a
// lane, and for its answer from before it is made until the transport has let
// go of the call.
//
// Threads: Cancel, cancelled, OnCancel, WhyStop and TryHold from any; the rest
// by whoever works on the call, one at a time. Nothing blocks.
// Not for: the request and the answer, which are the RPC's function's.

#ifndef ALIGNSAE_SERVER_API_CALL_H_
#define ALIGNSAE_SERVER_API_CALL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/api/audit_entry.h"
#include "server/api/rpc_env.h"
#include "server/api/status.h"
#include "server/policy/decision.h"
#include "server/policy/identity.h"
#include "server/process/memory_budget.h"
#include "server/process/owner.h"

namespace alignsae {

// The metadata, or headers, that every call may have.
inline constexpr char kRequestIdKey[] = "x-request-id";
inline constexpr char kClientIdKey[] = "x-client-id";

// What a transport knows of a call.
struct Caller {
  std::string request_id;  // Of x-request-id; empty: one is made.
  std::string client;      // Of x-client-id; empty: the host counts as client.
  std::string host;        // Without its port.
  Credentials credentials;
  absl::Time deadline = absl::InfiniteFuture();
  // Whether the server's cap on deadlines counts: not for a stream of requests,
  // each of which has a call of its own.
  bool capped = true;
};

class Call {
 public:
  // `method` ("Service/Method") and `env` must outlive the call.
  Call(const RpcEnv* env, absl::string_view method, const Caller& caller);
  ~Call() { --*env_->open_calls; }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Not OK when an id of the caller breaks its rule: at most
  // kMaxRequestIdBytes bytes of printable ASCII; and when the policy does not
  // know who calls, or does not allow it this RPC, or not now.
  const absl::Status& status() const { return status_; }
  const std::string& request_id() const { return request_id_; }
  absl::string_view method() const { return method_; }
  // Names what the call steers, in its receipts and in the audit log.
  const std::string& receipt_id() const { return receipt_id_; }
  // Who calls, for taking turns: the principal, without a policy the host, and
  // the name that it gave or none.
  const Owner& owner() const { return owner_; }
  // The client's deadline; at most max_deadline_seconds from the start, where
  // that counts.
  absl::Time deadline() const { return deadline_; }
  const RpcEnv& env() const { return *env_; }
  // Whether the policy lets the caller use the model; and between parse and
  // submit, whether it lets it do all of that, which takes the tokens. OK
  // without a policy. Errors: PolicyGuard's.
  absl::Status PermitModel(absl::string_view model) const;
  absl::Status Permit(const AskedAll& asked, int64_t tokens) const;
  // What was permitted did not come to run: the tokens are given back.
  void Unspend(int64_t tokens) const;
  // A worker has spent this on it: of its principal's quota.
  void SpendWork(absl::Duration spent) const;
  // Whether the caller may know of it. True without a policy.
  bool SeesModel(absl::string_view model) const;
  bool SeesCheckpoint(absl::string_view checkpoint) const;
  // How many KV slots the caller may hold at once; 0: no limit of its own.
  int max_slots() const;
  // What it asks to steer and what comes of it, for the audit log.
  AuditEntry& audit() { return audit_; }
  // The model that the request names; empty: the default one. Before the call
  // goes to a lane.
  void AskFor(const std::string& model) { model_ = model; }
  const std::string& model() const { return model_; }

  // Nobody waits for the answer any more.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // `stop` runs at the cancel, on its thread; here and now when it has been, so
  // that a cancel is not lost that came before there was something to stop. It
  // must not block, and is the only one.
  void OnCancel(std::function<void()> stop) ABSL_LOCKS_EXCLUDED(mutex_);
  // OK while somebody waits for the answer: DEADLINE_EXCEEDED, CANCELLED.
  absl::Status WhyStop() const;

  // Takes `bytes` more of the budget for answers. False: there is no room now.
  bool TryHold(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same, or RESOURCE_EXHAUSTED, reason MEMORY, which is counted.
  absl::Status Hold(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // The answer is made and takes `bytes`: the rest is given back.
  void HoldOnly(int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // `bytes` of the budget for requests, until it is let go of.
  absl::StatusOr<MemoryBudget::Share> HoldRequest(int64_t bytes);

  // A sequence has ended: for the log line and the audit.
  void AddFinished(const SequenceFinished& finished) {
    prompt_tokens_ += finished.prompt_tokens;
    generated_tokens_ += finished.generated_tokens;
    audit_.AddFinished(finished);
  }

  // Counts the end, hands its line to the log and gives what to tell the
  // client. Once; under a lock too.
  WireStatus End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Finds out who calls, and whether it may.
  void Admit(const Caller& caller);
  int64_t max_bytes() const;
  void Audit(const WireStatus& wire) const;
  // `value`, if it keeps the rule of ids; else empty, and status_ tells.
  std::string CheckedId(absl::string_view key, const std::string& value);

  const RpcEnv* const env_;
  const absl::string_view method_;
  const absl::Time start_;
  absl::Status status_;  // Before the ids: their check writes it.
  std::string request_id_;
  const std::string host_;
  std::string receipt_id_;
  std::optional<Principal> principal_;  // With a policy, once it is known.
  AuditEntry audit_;
  Owner owner_;
  absl::Time deadline_;
  std::string model_;
  int prompt_tokens_ = 0;
  int generated_tokens_ = 0;

  mutable Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> stop_ ABSL_GUARDED_BY(mutex_);
  std::vector<MemoryBudget::Share> held_ ABSL_GUARDED_BY(mutex_);
};

// Counts the time until its end as a worker's, spent on the call.
class WorkTime {
 public:
  explicit WorkTime(const Call& call)
      : call_(call), start_(call.env().clock->Now()) {}
  ~WorkTime() { call_.SpendWork(call_.env().clock->Now() - start_); }
  WorkTime(const WorkTime&) = delete;
  WorkTime& operator=(const WorkTime&) = delete;

 private:
  const Call& call_;
  const absl::Time start_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_CALL_H_
