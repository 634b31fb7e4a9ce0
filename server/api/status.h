// absl::Status as a client sees it, whatever the transport.
//
// Every failure carries google.rpc.Status with an ErrorInfo (reason, domain
// "alignsae.v1", the request id); one that may be tried again also RetryInfo.
// Of a bug of ours the client learns an opaque id only; the rest is in the log
// under it. Of memory that ran out it learns the reason MEMORY, what to ask for
// less of, and the id; there is no time after which the same request would do
// better, so it is told not to try again.
//
// Over gRPC the details go into the trailer grpc-status-details-bin
// and the pushback into grpc-retry-pushback-ms.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_STATUS_H_
#define ALIGNSAE_SERVER_API_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr char kErrorDomain[] = "alignsae.v1";

struct WireStatus {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;
  // Path of the field that breaks its rule, with which `message` begins; empty
  // for another failure.
  std::string field;
  std::string reason;   // ErrorInfo's; empty when OK.
  std::string details;  // Bytes of google.rpc.Status; empty when OK.
  // Milliseconds until the call may be tried again; empty: nothing is said.
  // "-1": it must not be tried again.
  std::string retry_pushback;
  // Id under which the log has what the client is not told: of a bug of ours,
  // and of memory that ran out. Empty for everything else.
  std::string internal_id;
};

// INTERNAL, UNKNOWN and codes that no caller can act upon become INTERNAL.
WireStatus ToWireStatus(const absl::Status& status,
                        absl::string_view request_id);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_STATUS_H_
