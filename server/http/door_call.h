// A Call of server/api for a request at the front door: its headers are what
// metadata is over gRPC.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_HTTP_DOOR_CALL_H_
#define ALIGNSAE_SERVER_HTTP_DOOR_CALL_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/api/call.h"
#include "server/api/enter_lane.h"
#include "server/config/server_config.h"
#include "server/http/door_exchange.h"

namespace alignsae {

// Milliseconds, as clients of the Connect protocol send it.
inline constexpr char kTimeoutHeader[] = "connect-timeout-ms";

// Why a timeout header is refused, or nullopt.
std::optional<HttpFailure> CheckTimeout(const HttpRequest& request);

// Why a body is refused for its coding, or nullopt: it is plain or gzip.
std::optional<HttpFailure> CheckCoding(const HttpRequest& request);
// The body, inflated where it is compressed, into `inflated`, which must
// outlive what is returned. In a lane. Errors: Gunzip's.
absl::StatusOr<absl::string_view> PlainBody(const HttpRequest& request,
                                            const Limits& limits,
                                            std::string* inflated);

// What the request's headers say of the caller.
Caller CallerOf(const HttpRequest& request, absl::Time now);

// Where a request of this size is read.
Lane ReadingLane(const HttpRequest& request);
// Runs `work`, which reads the request, there. False: it is full.
bool ReadInLane(const RpcEnv& env, const HttpRequest& request,
                std::function<void()> work);
// Runs `work`, which renders an answer of `bytes`, now or in the lane for that.
void RenderInLane(const Call& call, size_t bytes, std::function<void()> work);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_DOOR_CALL_H_
