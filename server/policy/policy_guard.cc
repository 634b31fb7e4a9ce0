#include "server/policy/policy_guard.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr int64_t kMaxFileBytes = 4 << 20;

absl::Status Behind(const char* flag, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(flag, ": ", status.message()));
}

void LogState(const char* event, const PolicyState& state) {
  LogLine(LogLevel::kInfo, event)
      .Add("groups", state.policy.groups.size())
      .Add("principals", state.policy.principals.size())
      .Add("anonymous",
           state.policy.Anonymous() == nullptr ? "refused" : "yes");
}

}  // namespace

absl::StatusOr<std::unique_ptr<PolicyGuard>> PolicyGuard::Create(
    Files files, KnownRpcs rpcs) {
  std::string stamp = FileStamp({files.policy, files.tokens});
  ALIGNSAE_ASSIGN_OR_RETURN(std::shared_ptr<const PolicyState> state,
                            Read(files, rpcs));
  LogState("policy_loaded", *state);
  return std::unique_ptr<PolicyGuard>(new PolicyGuard(
      std::move(files), std::move(rpcs), std::move(stamp), std::move(state)));
}

PolicyGuard::PolicyGuard(Files files, KnownRpcs rpcs, std::string stamp,
                         std::shared_ptr<const PolicyState> state)
    : files_(std::move(files)),
      rpcs_(std::move(rpcs)),
      state_(std::move(state)),
      watcher_({{files_.policy, files_.tokens},
                std::move(stamp),
                [this] { return Reload(); },
                [this](const absl::Status& why) {
                  ++failures_;
                  LogLine(LogLevel::kError, "policy_reload_failed")
                      .Add("why", why.message());
                }}) {}

absl::StatusOr<std::shared_ptr<const PolicyState>> PolicyGuard::Read(
    const Files& files, const KnownRpcs& rpcs) {
  auto state = std::make_shared<PolicyState>();
  absl::StatusOr<std::string> text = ReadFile(files.policy, kMaxFileBytes);
  if (!text.ok()) return Behind("--policy", text.status());
  absl::StatusOr<Policy> policy = ReadPolicy(*text, files.policy, rpcs);
  if (!policy.ok()) return Behind("--policy", policy.status());
  state->policy = *std::move(policy);
  if (files.tokens.empty()) return state;
  text = ReadFile(files.tokens, kMaxFileBytes);
  if (!text.ok()) return Behind("--tokens", text.status());
  absl::StatusOr<TokenList> tokens =
      TokenList::Read(*text, files.tokens, state->policy);
  if (!tokens.ok()) return Behind("--tokens", tokens.status());
  state->tokens = *std::move(tokens);
  return state;
}

absl::Status PolicyGuard::Reload() {
  ALIGNSAE_ASSIGN_OR_RETURN(std::shared_ptr<const PolicyState> read,
                            Read(files_, rpcs_));
  LogState("policy_reloaded", *read);
  {
    MutexLock lock(&mutex_);
    state_ = std::move(read);
  }
  ++reloads_;
  return absl::OkStatus();
}

std::shared_ptr<const PolicyState> PolicyGuard::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

absl::StatusOr<Principal> PolicyGuard::Admit(absl::string_view rpc,
                                             const Credentials& shown,
                                             const std::string& host,
                                             absl::Time now) {
  absl::StatusOr<Principal> principal = Identify(state(), shown, host);
  if (!principal.ok()) return Counted(principal.status());
  ALIGNSAE_RETURN_IF_ERROR(Counted(DecideRpc(*principal, rpc)));
  ALIGNSAE_RETURN_IF_ERROR(Counted(quotas_.CheckWork(*principal, now)));
  ALIGNSAE_RETURN_IF_ERROR(Counted(quotas_.TakeRequest(*principal, now)));
  return principal;
}

absl::Status PolicyGuard::Permit(const Principal& principal,
                                 const AskedAll& asked, int64_t tokens,
                                 absl::Time now) {
  ALIGNSAE_RETURN_IF_ERROR(Counted(Decide(principal, asked)));
  return Counted(quotas_.TakeTokens(principal, tokens, now));
}

absl::Status PolicyGuard::PermitModel(const Principal& principal,
                                      absl::string_view model) {
  return Counted(DecideModel(principal, model));
}

absl::Status PolicyGuard::Counted(absl::Status status) {
  if (absl::IsUnauthenticated(status)) ++unauthenticated_;
  if (absl::IsPermissionDenied(status)) ++denied_;
  if (absl::IsResourceExhausted(status)) ++quota_;
  return status;
}

PolicyGuard::Counts PolicyGuard::counts() const {
  return {unauthenticated_, denied_, quota_, reloads_, failures_};
}

}  // namespace alignsae
