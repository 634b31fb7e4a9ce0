// HealthService: our own grpc.health.v1.Health.
//
// gRPC's default one answers "" with process liveness and keeps an entry for
// every name that anybody asks. This one knows a closed set of names:
//
//   liveness                  SERVING as long as the process answers
//   "", readiness, API names  SERVING while requests can be answered
//
// At most max_watches Watch streams are open at once. A newcomer always finds a
// place: the oldest watch of a name that is not known gives way, or else the
// oldest one of the host that has the most.
//
// Threads: answered on gRPC's own threads, so that a probe waits for no lane;
// the lock is held for a look at a flag, and by SetReady for a walk over the
// watchers. A Watcher owns itself until gRPC is done with it.
// Not for: telling which model is loaded, or whether it is busy.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_HEALTH_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_HEALTH_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <list>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "model/base/mutex.h"

namespace alignsae {

class HealthService final : public grpc::health::v1::Health::CallbackService {
 public:
  // Not ready at first.
  explicit HealthService(const std::vector<std::string>& api_services,
                         int max_watches = 256);

  void SetReady(bool ready) ABSL_LOCKS_EXCLUDED(mutex_);
  bool ready() const ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::ServerUnaryReactor* Check(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request,
      grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerUnaryReactor* List(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthListRequest* request,
      grpc::health::v1::HealthListResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context,
      const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;

  Status StatusOf(const std::string& service) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a watch to make room for another.
  void GiveWay() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(Watcher* watcher) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::set<std::string> readiness_names_;
  const size_t max_watches_;
  mutable Mutex mutex_;
  bool ready_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Watcher*> watchers_ ABSL_GUARDED_BY(mutex_);  // Oldest first.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_HEALTH_SERVICE_H_
