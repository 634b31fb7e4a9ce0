#include "server/api/call.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/endings.h"
#include "server/api/reply_size.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr absl::Duration kDeadlineSlack = absl::Milliseconds(50);
constexpr absl::Duration kRetryMemory = absl::Milliseconds(500);

absl::Status MemoryTaken(const RpcEnv& env, absl::string_view what) {
  env.metrics->CountRejected(Rejection::kMemory);
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(absl::StrCat(
                     "server: must hold ", what,
                     " within --call-memory-mib, and calls that are not done "
                     "hold too much; ask again, or for less")),
                 kReasonMemory),
      kRetryMemory);
}

}  // namespace

Call::Call(const RpcEnv* env, absl::string_view method, const Caller& caller)
    : env_(env),
      method_(method),
      start_(env->clock->Now()),
      request_id_(CheckedId(kRequestIdKey, caller.request_id)),
      host_(caller.host),
      receipt_id_(RandomId()),
      owner_{caller.host, CheckedId(kClientIdKey, caller.client)},
      deadline_(std::min(
          caller.deadline,
          caller.capped
              ? start_ + absl::Seconds(env->config.limits.max_deadline_seconds)
              : absl::InfiniteFuture())) {
  ++*env_->open_calls;
  env_->metrics->RpcStarted(method_);
  if (request_id_.empty()) request_id_ = RandomId();
  if (env_->policy != nullptr) Admit(caller);
}

void Call::Admit(const Caller& caller) {
  absl::StatusOr<Principal> principal =
      env_->policy->Admit(method_, caller.credentials, caller.host, start_);
  if (!principal.ok()) {
    if (status_.ok()) status_ = principal.status();
    return;
  }
  owner_.origin = principal->origin;
  principal_ = *std::move(principal);
}

absl::Status Call::PermitModel(absl::string_view model) const {
  if (env_->policy == nullptr) return absl::OkStatus();
  ALIGNSAE_RETURN_IF_ERROR(status_);  // There is a principal.
  return env_->policy->PermitModel(*principal_, model);
}

absl::Status Call::Permit(const AskedAll& asked, int64_t tokens) const {
  if (env_->policy == nullptr) return absl::OkStatus();
  ALIGNSAE_RETURN_IF_ERROR(status_);
  return env_->policy->Permit(*principal_, asked, tokens, env_->clock->Now());
}

void Call::Unspend(int64_t tokens) const {
  if (principal_.has_value()) env_->policy->Unspend(*principal_, tokens);
}

void Call::SpendWork(absl::Duration spent) const {
  if (!principal_.has_value()) return;
  env_->policy->SpendWork(*principal_, spent, env_->clock->Now());
}

bool Call::SeesModel(absl::string_view model) const {
  return !principal_.has_value() || principal_->rights().models.Allows(model);
}

bool Call::SeesCheckpoint(absl::string_view checkpoint) const {
  return !principal_.has_value() ||
         principal_->rights().checkpoints.Allows(checkpoint);
}

int Call::max_slots() const {
  return principal_.has_value() ? principal_->rights().quota.slots : 0;
}

int64_t Call::max_bytes() const {
  return principal_.has_value() ? principal_->rights().quota.bytes : 0;
}

std::string Call::CheckedId(absl::string_view key, const std::string& value) {
  if (value.size() > kMaxRequestIdBytes) {
    status_ = InvalidField(
        key, absl::StrCat("have at most ", kMaxRequestIdBytes, " bytes"),
        value.size());
    return "";
  }
  // They are sent back as metadata, which other bytes cannot be.
  if (!std::all_of(value.begin(), value.end(),
                   [](char c) { return c >= 0x20 && c <= 0x7e; })) {
    status_ = InvalidField(key, "be printable ASCII", Quoted(value));
    return "";
  }
  return value;
}

void Call::Cancel() {
  std::function<void()> stop;
  {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    stop = std::exchange(stop_, nullptr);
  }
  if (stop != nullptr) stop();
}

bool Call::cancelled() const {
  MutexLock lock(&mutex_);
  return cancelled_;
}

void Call::OnCancel(std::function<void()> stop) {
  {
    MutexLock lock(&mutex_);
    if (!cancelled_) {
      stop_ = std::move(stop);
      return;
    }
  }
  stop();
}

absl::Status Call::WhyStop() const {
  if (env_->clock->Now() >= deadline_) return DeadlinePassed();
  return cancelled() ? CancelledByClient() : absl::OkStatus();
}

bool Call::TryHold(int64_t bytes) {
  std::optional<MemoryBudget::Share> share =
      env_->memory->answers.TryTake(owner_, bytes, max_bytes());
  if (!share.has_value()) return false;
  MutexLock lock(&mutex_);
  held_.push_back(*std::move(share));
  return true;
}

absl::Status Call::Hold(int64_t bytes) {
  return TryHold(bytes) ? absl::OkStatus() : MemoryTaken(*env_, "this answer");
}

void Call::HoldOnly(int64_t bytes) {
  MutexLock lock(&mutex_);
  for (MemoryBudget::Share& share : held_) {
    share.ShrinkTo(bytes);
    bytes -= share.bytes();
  }
}

absl::StatusOr<MemoryBudget::Share> Call::HoldRequest(int64_t bytes) {
  std::optional<MemoryBudget::Share> share =
      env_->memory->requests.TryTake(owner_, bytes, max_bytes());
  if (!share.has_value()) return MemoryTaken(*env_, "this request");
  return *std::move(share);
}

WireStatus Call::End(const absl::Status& ended) {
  {
    MutexLock lock(&mutex_);
    stop_ = nullptr;
  }
  // A transport cancels a call at its deadline, as the client's clock has it.
  const absl::Status status =
      absl::IsCancelled(ended) &&
              env_->clock->Now() >= deadline_ - kDeadlineSlack
          ? DeadlinePassed()
          : ended;
  WireStatus wire = ToWireStatus(status, request_id_);
  const absl::Duration took = env_->clock->Now() - start_;
  const std::string code = absl::StatusCodeToString(wire.code);
  env_->metrics->RpcFinished(method_, code, took);
  LogLine line(wire.internal_id.empty() ? LogLevel::kInfo : LogLevel::kError,
               "rpc");
  line.Add("method", method_)
      .Add("request_id", request_id_)
      .Add("code", code)
      .Add("duration_ms", absl::ToDoubleMilliseconds(took))
      .Add("prompt_tokens", prompt_tokens_)
      .Add("generated_tokens", generated_tokens_);
  if (principal_.has_value()) line.Add("principal", principal_->name);
  if (!status.ok()) line.Add("reason", ReasonOf(status));
  if (!wire.internal_id.empty()) {
    line.Add("error_id", wire.internal_id).Add("error", status.ToString());
  }
  if (env_->audit != nullptr) Audit(wire);
  return wire;
}

// What steers, or would have been done against the policy.
void Call::Audit(const WireStatus& wire) const {
  const bool refused = wire.code == absl::StatusCode::kUnauthenticated ||
                       wire.code == absl::StatusCode::kPermissionDenied;
  if (!audit_.steers() && !refused) return;
  nlohmann::ordered_json line;
  line["time"] = absl::FormatTime(absl::RFC3339_full, env_->clock->Now(),
                                  absl::UTCTimeZone());
  line["principal"] = principal_.has_value() ? principal_->name : "";
  line["host"] = host_;
  line["client"] = owner_.name;
  line["rpc"] = std::string(method_);
  line["request_id"] = request_id_;
  if (audit_.steers()) line["receipt_id"] = receipt_id_;
  line["outcome"] = absl::StatusCodeToString(wire.code);
  if (!wire.reason.empty()) line["reason"] = wire.reason;
  if (!wire.field.empty()) line["field"] = wire.field;
  audit_.AddTo(line);
  env_->audit->Write(
      line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

}  // namespace alignsae
