// absl::Status as a client sees it.
//
// Every failure carries google.rpc.Status with an ErrorInfo (reason, domain
// "alignsae.v1", the request id) in `grpc-status-details-bin`; one that may be
// tried again also RetryInfo and the trailer `grpc-retry-pushback-ms`. Of a bug
// of ours the client learns an opaque id only; the rest is in the log under it.
// Of memory that ran out it learns the reason MEMORY, what to ask for less of,
// and the id; there is no time after which the same request would do better, so
// it is told not to try again.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_GRPC_STATUS_H_
#define ALIGNSAE_SERVER_GRPC_STATUS_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr char kErrorDomain[] = "alignsae.v1";
inline constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";

struct WireStatus {
  grpc::Status status;
  // Value of the trailer grpc-retry-pushback-ms; empty: do not send it. "-1":
  // clients must not try again.
  std::string retry_pushback;
  // Id under which the log has what the client is not told: of a bug of ours,
  // and of memory that ran out. Empty for everything else.
  std::string internal_id;
};

// INTERNAL, UNKNOWN and codes that no caller can act upon become INTERNAL.
WireStatus ToWireStatus(const absl::Status& status,
                        absl::string_view request_id);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_STATUS_H_
