// PolicyGuard: the policy in force and its tokens, taken anew when their files
// change; asked who calls and what they may.
//
// A version that cannot be used leaves the one before in force; the log says
// why. A call is judged by the version that was in force when it began.
//
// Thread-safety: thread-safe. Nothing blocks for longer than a look at a map.
// Errors: Create: those of ReadPolicy, TokenList::Read and ReadFile, behind the
// flag. Admit: UNAUTHENTICATED, PERMISSION_DENIED; RESOURCE_EXHAUSTED, reason
// QUOTA. Permit: PERMISSION_DENIED and RESOURCE_EXHAUSTED.

#ifndef ALIGNSAE_SERVER_POLICY_POLICY_GUARD_H_
#define ALIGNSAE_SERVER_POLICY_POLICY_GUARD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/policy/decision.h"
#include "server/policy/identity.h"
#include "server/policy/quotas.h"
#include "server/policy/read_policy.h"
#include "server/process/file_watcher.h"

namespace alignsae {

class PolicyGuard {
 public:
  struct Files {
    std::string policy;
    std::string tokens;  // Empty: nobody has one.
  };
  static absl::StatusOr<std::unique_ptr<PolicyGuard>> Create(Files files,
                                                             KnownRpcs rpcs);
  PolicyGuard(const PolicyGuard&) = delete;
  PolicyGuard& operator=(const PolicyGuard&) = delete;

  // At the start of a call: who calls, if it may call `rpc` at all and has a
  // request and worker time left.
  absl::StatusOr<Principal> Admit(absl::string_view rpc,
                                  const Credentials& shown,
                                  const std::string& host, absl::Time now);
  // Between parse and submit: whether it may do all of what it asks, and has
  // so many tokens left, which are taken.
  absl::Status Permit(const Principal& principal, const AskedAll& asked,
                      int64_t tokens, absl::Time now);
  // It has had so much of a worker's time.
  void SpendWork(const Principal& principal, absl::Duration spent,
                 absl::Time now) {
    quotas_.SpendWork(principal, spent, now);
  }
  // The request that was permitted was refused by somebody else.
  void Unspend(const Principal& principal, int64_t tokens) {
    quotas_.ReturnTokens(principal, tokens);
  }
  absl::Status PermitModel(const Principal& principal, absl::string_view model);

  struct Counts {
    int64_t unauthenticated = 0, denied = 0, quota = 0;
    int64_t reloads = 0, failures = 0;
  };
  Counts counts() const;

 private:
  PolicyGuard(Files files, KnownRpcs rpcs, std::string stamp,
              std::shared_ptr<const PolicyState> state);

  static absl::StatusOr<std::shared_ptr<const PolicyState>> Read(
      const Files& files, const KnownRpcs& rpcs);
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<const PolicyState> state() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Counted(absl::Status status);

  const Files files_;
  const KnownRpcs rpcs_;
  Quotas quotas_;
  std::atomic<int64_t> unauthenticated_ = 0, denied_ = 0, quota_ = 0;
  std::atomic<int64_t> reloads_ = 0, failures_ = 0;
  mutable Mutex mutex_;
  std::shared_ptr<const PolicyState> state_ ABSL_GUARDED_BY(mutex_);
  FileWatcher watcher_;  // Last: it uses the others.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_POLICY_POLICY_GUARD_H_
