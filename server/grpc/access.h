// What guards the ports: who may do what, what is kept of it, and a warning
// where nothing guards them.
//
// Thread-safety: called once, by the thread that starts the server.

#ifndef ALIGNSAE_SERVER_GRPC_ACCESS_H_
#define ALIGNSAE_SERVER_GRPC_ACCESS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config/server_config.h"
#include "server/policy/policy_guard.h"
#include "server/process/audit_log.h"

namespace alignsae {

// Who may do what, and what is kept of it; null where there is none.
struct Access {
  std::unique_ptr<PolicyGuard> policy;
  std::unique_ptr<AuditLog> audit;
};

// INVALID_ARGUMENT with the field, the rule and the value of a file that says
// something else than it may.
absl::StatusOr<Access> OpenAccess(const AccessFiles& files);

// Whether a port off loopback speaks in the clear; if so, the log says what
// that means. `tls`: of the gRPC port.
bool WarnIfExposed(const ServerConfig& config, bool policy, bool tls);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_ACCESS_H_
