#include "server/api/access.h"

#include <string>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/api/methods.h"
#include "server/process/log.h"

namespace alignsae {

void Access::AddTo(Metrics::Probes* probes) const {
  if (policy != nullptr) {
    probes->policy = [guard = policy.get()] {
      const PolicyGuard::Counts counts = guard->counts();
      return Metrics::PolicyCounts{counts.unauthenticated, counts.denied,
                                   counts.quota, counts.reloads,
                                   counts.failures};
    };
  }
  if (audit != nullptr) {
    probes->audit_lines_lost = [log = audit.get()] { return log->lost(); };
  }
}

absl::StatusOr<Access> OpenAccess(const AccessFiles& files) {
  Access access;
  if (!files.policy.empty()) {
    KnownRpcs rpcs = {RpcMethods(), OperatorMethods()};
    for (std::string& rpc : InferenceMethods()) {
      rpcs.users.push_back(std::move(rpc));
    }
    rpcs.named.emplace_back(kRpcReflection);
    ALIGNSAE_ASSIGN_OR_RETURN(
        access.policy, PolicyGuard::Create({files.policy, files.tokens}, rpcs));
  }
  if (!files.audit_log.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(access.audit, AuditLog::Open(files.audit_log));
  }
  return access;
}

bool WarnIfExposed(const ServerConfig& config, bool policy, bool tls) {
  std::vector<Endpoint> clear;
  if (!tls) clear.push_back(config.listen);
  if (config.http.on) clear.push_back(config.http.listen);
  bool exposed = false;
  for (const Endpoint& endpoint : clear) {
    if (IsLoopback(endpoint.host)) continue;
    exposed = true;
    LogLine(LogLevel::kWarning, "plaintext_exposed")
        .Add("listen", endpoint.ToString())
        .Add("what",
             policy ? "who is between can read along, tokens included; speak "
                      "TLS (--tls-cert) or keep a proxy in front"
                    : "anybody who reaches this port may call it and read "
                      "along; speak TLS (--tls-cert, --tls-client-ca), say who "
                      "may do what (--policy), or keep a proxy in front");
  }
  return exposed;
}

}  // namespace alignsae
