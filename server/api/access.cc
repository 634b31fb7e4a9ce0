#include "server/api/access.h"

#include <utility>

#include "model/base/status_macros.h"
#include "server/api/methods.h"

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

}  // namespace alignsae
