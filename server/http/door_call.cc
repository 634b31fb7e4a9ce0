#include "server/http/door_call.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/http/gzip.h"
#include "server/process/lanes.h"

namespace alignsae {
namespace {

// JSON of this size takes some milliseconds.
constexpr size_t kLargeMessage = 128 << 10;
// As the Connect protocol has it.
constexpr size_t kMaxTimeoutDigits = 10;

std::optional<int64_t> TimeoutOf(absl::string_view text) {
  int64_t milliseconds = 0;
  if (text.empty() || text.size() > kMaxTimeoutDigits ||
      !std::all_of(text.begin(), text.end(),
                   [](char c) { return c >= '0' && c <= '9'; }) ||
      !absl::SimpleAtoi(text, &milliseconds)) {
    return std::nullopt;
  }
  return milliseconds;
}

}  // namespace

std::optional<HttpFailure> CheckTimeout(const HttpRequest& request) {
  const absl::string_view text = request.Header(kTimeoutHeader);
  if (text.empty() || TimeoutOf(text).has_value()) return std::nullopt;
  return HttpFailure{
      400, HttpRefusal::kHead,
      absl::StrCat(kTimeoutHeader, ": must be at most ", kMaxTimeoutDigits,
                   " digits, got ", Quoted(absl::CHexEscape(text)))};
}

std::optional<HttpFailure> CheckCoding(const HttpRequest& request) {
  const absl::string_view coding = request.Header("content-encoding");
  if (request.gzip || coding.empty() ||
      absl::EqualsIgnoreCase(coding, "identity")) {
    return std::nullopt;
  }
  return HttpFailure{415,
                     HttpRefusal::kContentType,
                     absl::StrCat("content-encoding: must be gzip or identity, "
                                  "got ",
                                  Quoted(absl::CHexEscape(coding))),
                     {{"Accept-Encoding", "gzip, identity"}}};
}

absl::StatusOr<absl::string_view> PlainBody(const HttpRequest& request,
                                            const Limits& limits,
                                            std::string* inflated) {
  if (!request.gzip) return request.body;
  ALIGNSAE_ASSIGN_OR_RETURN(
      *inflated, Gunzip(request.body,
                        static_cast<size_t>(limits.max_receive_message_bytes)));
  return *inflated;
}

Caller CallerOf(const HttpRequest& request, absl::Time now) {
  Caller caller;
  caller.request_id = std::string(request.Header(kRequestIdKey));
  caller.client = std::string(request.Header(kClientIdKey));
  caller.host = request.host;
  caller.credentials.authorization =
      std::string(request.Header(kAuthorizationKey));
  caller.credentials.forwarded = std::string(request.Header(kForwardedUserKey));
  if (const auto timeout = TimeoutOf(request.Header(kTimeoutHeader))) {
    caller.deadline = now + absl::Milliseconds(*timeout);
  }
  return caller;
}

Lane ReadingLane(const HttpRequest& request) {
  return request.body.size() < kLargeMessage ? Lane::kInteractive
                                             : Lane::kBackground;
}

bool ReadInLane(const RpcEnv& env, const HttpRequest& request,
                std::function<void()> work) {
  WorkerPool& lane = PoolOf(*env.lanes, ReadingLane(request));
  return lane.TrySchedule(
      {{request.host, std::string(request.Header(kClientIdKey))},
       std::move(work)});
}

void RenderInLane(const Call& call, size_t bytes, std::function<void()> work) {
  if (bytes < kLargeMessage) {
    work();
  } else {
    call.env().lanes->background.Schedule(std::move(work));
  }
}

}  // namespace alignsae
