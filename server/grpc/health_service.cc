#include "server/grpc/health_service.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/grpc/reactors.h"

namespace alignsae {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr size_t kMaxServiceBytes = 200;
constexpr char kLiveness[] = "liveness";

std::set<std::string> ReadinessNames(
    const std::vector<std::string>& api_services) {
  std::set<std::string> names(api_services.begin(), api_services.end());
  names.insert({"", "readiness", "grpc.health.v1.Health"});
  return names;
}

// Ends a stream at once.
class RefusedWatch : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  explicit RefusedWatch(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

// One Watch stream. Only the newest status is kept for a peer that reads
// slowly.
class HealthService::Watcher
    : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthService* owner, std::string service, std::string host)
      : owner_(owner), service_(std::move(service)), host_(std::move(host)) {}

  const std::string& service() const { return service_; }
  const std::string& host() const { return host_; }

  void Update(Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    wanted_ = status;
    WriteWanted();
  }

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (ok) {
      WriteWanted();
    } else {
      FinishOnce(Ended());
    }
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    FinishOnce(Ended());
  }

  void GiveWay() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    FinishOnce(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                            "watches: gave way to a newer one"));
  }

  void OnDone() override {
    owner_->Forget(this);
    delete this;
  }

 private:
  void WriteWanted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_ || wanted_ == sent_) return;
    writing_ = true;
    sent_ = wanted_;
    message_.set_status(*wanted_);
    StartWrite(&message_);
  }

  void FinishOnce(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(status);
  }

  static grpc::Status Ended() {
    return grpc::Status(grpc::StatusCode::CANCELLED, "the watch has ended");
  }

  HealthService* const owner_;
  const std::string service_;
  const std::string host_;
  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Status> wanted_ ABSL_GUARDED_BY(mutex_);
  std::optional<Status> sent_ ABSL_GUARDED_BY(mutex_);
  HealthCheckResponse message_;  // Of the write under way.
};

HealthService::HealthService(const std::vector<std::string>& api_services,
                             int max_watches)
    : readiness_names_(ReadinessNames(api_services)),
      max_watches_(static_cast<size_t>(max_watches)) {}

void HealthService::SetReady(bool ready) {
  MutexLock lock(&mutex_);
  ready_ = ready;
  // A watcher takes its own lock here and never this one while it holds its
  // own: StartWrite and Finish react on other threads.
  for (Watcher* watcher : watchers_) {
    watcher->Update(StatusOf(watcher->service()));
  }
}

bool HealthService::ready() const {
  MutexLock lock(&mutex_);
  return ready_;
}

HealthService::Status HealthService::StatusOf(
    const std::string& service) const {
  if (service == kLiveness) return HealthCheckResponse::SERVING;
  if (readiness_names_.count(service) == 0) {
    return HealthCheckResponse::SERVICE_UNKNOWN;
  }
  return ready_ ? HealthCheckResponse::SERVING
                : HealthCheckResponse::NOT_SERVING;
}

grpc::ServerUnaryReactor* HealthService::Check(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request,
    HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (request->service().size() > kMaxServiceBytes) {
    reactor->Finish(
        grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                     absl::StrCat("service: must be at most ", kMaxServiceBytes,
                                  " bytes, got ", request->service().size())));
    return reactor;
  }
  Status status = HealthCheckResponse::SERVICE_UNKNOWN;
  {
    MutexLock lock(&mutex_);
    status = StatusOf(request->service());
  }
  if (status == HealthCheckResponse::SERVICE_UNKNOWN) {
    reactor->Finish(grpc::Status(
        grpc::StatusCode::NOT_FOUND,
        "service: must be \"\", liveness, readiness or a service of the API"));
    return reactor;
  }
  response->set_status(status);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* HealthService::List(
    grpc::CallbackServerContext* context,
    const grpc::health::v1::HealthListRequest* /*request*/,
    grpc::health::v1::HealthListResponse* response) {
  {
    MutexLock lock(&mutex_);
    for (const std::string& name : readiness_names_) {
      (*response->mutable_statuses())[name].set_status(StatusOf(name));
    }
    (*response->mutable_statuses())[kLiveness].set_status(StatusOf(kLiveness));
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthService::Watch(
    grpc::CallbackServerContext* context, const HealthCheckRequest* request) {
  if (request->service().size() > kMaxServiceBytes) {
    return new RefusedWatch(
        grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                     absl::StrCat("service: must be at most ", kMaxServiceBytes,
                                  " bytes, got ", request->service().size())));
  }
  MutexLock lock(&mutex_);
  if (watchers_.size() >= max_watches_) GiveWay();
  auto* watcher =
      new Watcher(this, request->service(), HostOf(context->peer()));
  watchers_.push_back(watcher);
  watcher->Update(StatusOf(watcher->service()));
  return watcher;
}

void HealthService::GiveWay() {
  std::map<std::string, int> by_host;
  for (const Watcher* watcher : watchers_) ++by_host[watcher->host()];
  const auto most = std::max_element(
      by_host.begin(), by_host.end(),
      [](const auto& a, const auto& b) { return a.second < b.second; });
  Watcher* of_unknown = nullptr;
  Watcher* of_most = nullptr;
  for (Watcher* watcher : watchers_) {  // The oldest of each.
    const bool unknown =
        StatusOf(watcher->service()) == HealthCheckResponse::SERVICE_UNKNOWN;
    if (of_unknown == nullptr && unknown) of_unknown = watcher;
    if (of_most == nullptr && watcher->host() == most->first) of_most = watcher;
  }
  Watcher* const gone = of_unknown != nullptr ? of_unknown : of_most;
  watchers_.remove(gone);
  gone->GiveWay();
}

void HealthService::Forget(Watcher* watcher) {
  MutexLock lock(&mutex_);
  watchers_.remove(watcher);  // It may have given way before.
}

}  // namespace alignsae
