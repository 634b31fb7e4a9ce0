// What decides on calls and keeps account of them, opened from its files; and a
// warning where nothing does.
//
// Thread-safety: value type; its parts are thread-safe.
// Errors: those of PolicyGuard::Create and AuditLog::Open.

#ifndef ALIGNSAE_SERVER_API_ACCESS_H_
#define ALIGNSAE_SERVER_API_ACCESS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "server/config/server_config.h"
#include "server/metrics/metrics.h"
#include "server/policy/policy_guard.h"
#include "server/process/audit_log.h"

namespace alignsae {

struct Access {
  std::unique_ptr<PolicyGuard> policy;  // Null: everybody may do everything.
  std::unique_ptr<AuditLog> audit;      // Null: none is kept.

  // What the metrics ask of them, which must live as long.
  void AddTo(Metrics::Probes* probes) const;
};

absl::StatusOr<Access> OpenAccess(const AccessFiles& files);

// Whether a port off loopback speaks in the clear; if so, the log says what
// that means. `tls`: of the gRPC port.
bool WarnIfExposed(const ServerConfig& config, bool policy, bool tls);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ACCESS_H_
