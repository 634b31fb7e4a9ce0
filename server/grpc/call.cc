#include "server/grpc/call.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/random_id.h"
#include "model/base/status_payload.h"
#include "server/grpc/status.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr size_t kMaxIdBytes = 128;
constexpr absl::Duration kDeadlineSlack = absl::Milliseconds(50);

// "ipv4:10.0.0.7:51234" -> "ipv4:10.0.0.7": the connections of one host count
// as one client.
std::string HostOf(const std::string& peer) {
  const size_t colon = peer.rfind(':');
  const bool has_port =
      colon != std::string::npos && peer.rfind("unix", 0) != 0;
  return has_port ? peer.substr(0, colon) : peer;
}

}  // namespace

Call::Call(const RpcEnv* env, absl::string_view method,
           grpc::CallbackServerContext* context)
    : env_(env),
      method_(method),
      context_(context),
      start_(env->clock->Now()),
      deadline_(start_ +
                absl::Seconds(env->config.limits.max_deadline_seconds)) {
  ++*env_->open_calls;
  env_->metrics->RpcStarted(method_);
  request_id_ = CheckedMetadata(kRequestIdKey);
  client_ = CheckedMetadata(kClientIdKey);
  if (client_.empty()) client_ = HostOf(context->peer());
  if (request_id_.empty()) request_id_ = RandomId();
  context->AddInitialMetadata(kRequestIdKey, request_id_);
  const auto wanted = context->deadline();
  if (wanted != std::chrono::system_clock::time_point::max()) {
    deadline_ = std::min(deadline_, absl::FromChrono(wanted));
  }
}

std::string Call::CheckedMetadata(const char* key) {
  const auto& metadata = context_->client_metadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  const std::string value(found->second.data(), found->second.size());
  if (value.size() > kMaxIdBytes) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(key, ": must have at most ", kMaxIdBytes, " bytes, got ",
                     value.size()));
    return "";
  }
  // gRPC takes any bytes but aborts on sending those that are not printable.
  if (!std::all_of(value.begin(), value.end(),
                   [](char c) { return c >= 0x20 && c <= 0x7e; })) {
    status_ = absl::InvalidArgumentError(
        absl::StrCat(key, ": must be printable ASCII, got ", Quoted(value)));
    return "";
  }
  return value;
}

absl::Status Call::WhyStop() const {
  if (env_->clock->Now() >= deadline_) {
    return absl::DeadlineExceededError("deadline: has passed");
  }
  if (context_->IsCancelled()) {
    return absl::CancelledError("the client cancelled the call");
  }
  return absl::OkStatus();
}

grpc::Status Call::End(const absl::Status& ended) {
  // gRPC cancels a call at its deadline, as the client's clock has it.
  const absl::Status status =
      absl::IsCancelled(ended) &&
              env_->clock->Now() >= deadline_ - kDeadlineSlack
          ? absl::DeadlineExceededError("deadline: has passed")
          : ended;
  const WireStatus wire = ToWireStatus(status, request_id_);
  if (!wire.retry_pushback.empty()) {
    context_->AddTrailingMetadata(kRetryPushbackKey, wire.retry_pushback);
  }
  const absl::Duration took = env_->clock->Now() - start_;
  const std::string code = absl::StatusCodeToString(
      static_cast<absl::StatusCode>(wire.status.error_code()));
  env_->metrics->RpcFinished(method_, code, took);
  auto line = std::make_shared<LogLine>(
      wire.internal_id.empty() ? LogLevel::kInfo : LogLevel::kError, "rpc");
  line->Add("method", method_)
      .Add("request_id", request_id_)
      .Add("code", code)
      .Add("duration_ms", absl::ToDoubleMilliseconds(took))
      .Add("prompt_tokens", prompt_tokens_)
      .Add("generated_tokens", generated_tokens_);
  if (!status.ok()) line->Add("reason", ReasonOf(status));
  if (!wire.internal_id.empty()) {
    line->Add("error_id", wire.internal_id).Add("error", status.ToString());
  }
  // Written by the lane: the caller may hold a lock, or be a thread of gRPC's.
  if (!line->text().empty()) {
    // Moved: the lane's is the last hold on it.
    env_->lanes->interactive.Schedule(
        [line = std::move(line)]() mutable { line.reset(); });
  }
  return wire.status;
}

}  // namespace alignsae
