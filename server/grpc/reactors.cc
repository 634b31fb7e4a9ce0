#include "server/grpc/reactors.h"

#include <grpc/grpc_security_constants.h>

#include <chrono>
#include <string>

#include "absl/time/clock.h"

namespace alignsae {
namespace {

std::string MetadataOf(const grpc::CallbackServerContext& context,
                       const char* key) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  return std::string(found->second.data(), found->second.size());
}

// All values of a key that may be there once: more are no name of anybody.
std::string AllMetadataOf(const grpc::CallbackServerContext& context,
                          const char* key) {
  std::string all;
  const auto [begin, end] = context.client_metadata().equal_range(key);
  for (auto it = begin; it != end; ++it) {
    if (!all.empty()) all += ", ";
    all.append(it->second.data(), it->second.size());
  }
  return all;
}

Credentials CredentialsOf(const grpc::CallbackServerContext& context) {
  Credentials credentials;
  credentials.authorization = MetadataOf(context, kAuthorizationKey);
  credentials.forwarded = AllMetadataOf(context, kForwardedUserKey);
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return credentials;
  for (const char* property :
       {GRPC_PEER_URI_PROPERTY_NAME, GRPC_PEER_DNS_PROPERTY_NAME,
        GRPC_PEER_EMAIL_PROPERTY_NAME}) {
    for (const grpc::string_ref& name : auth->FindPropertyValues(property)) {
      credentials.certificate.emplace_back(name.data(), name.size());
    }
  }
  return credentials;
}

class UnaryReactor final : public grpc::ServerUnaryReactor,
                           public std::enable_shared_from_this<UnaryReactor> {
 public:
  UnaryReactor(const RpcEnv* env, absl::string_view method,
               grpc::CallbackServerContext* context)
      : context_(context),
        guard_(std::make_shared<UnreadGuard>(context)),
        call_(StartCall(env, method, context)) {}

  void Start(const StartUnary& start) {
    self_ = shared_from_this();
    start(call_, [self = self_](const absl::Status& status) {
      self->guard_->GiveUpAfter(self->call_->env().unread.max_age);
      self->Finish(ToGrpc(self->call_->End(status), self->context_));
    });
  }

  void OnCancel() override { call_->Cancel(); }
  void OnDone() override {
    guard_->Done();
    self_.reset();
  }

 private:
  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<UnreadGuard> guard_;
  const std::shared_ptr<Call> call_;
  std::shared_ptr<UnaryReactor> self_;  // Until OnDone.
};

}  // namespace

void UnreadGuard::GiveUpAfter(absl::Duration patience) {
  alarm_.Set(absl::ToChronoTime(absl::Now() + patience),
             [weak = weak_from_this()](bool expired) {
               const auto guard = weak.lock();
               if (expired && guard) guard->GiveUp();
             });
}

void UnreadGuard::Done() {
  alarm_.Cancel();
  MutexLock lock(&mutex_);
  done_ = true;
}

void UnreadGuard::GiveUp() {
  MutexLock lock(&mutex_);
  if (!done_) context_->TryCancel();
}

std::string HostOf(const std::string& peer) {
  const size_t colon = peer.rfind(':');
  const bool has_port =
      colon != std::string::npos && peer.rfind("unix", 0) != 0;
  return has_port ? peer.substr(0, colon) : peer;
}

Caller CallerOf(const grpc::CallbackServerContext& context) {
  Caller caller;
  caller.request_id = MetadataOf(context, kRequestIdKey);
  caller.client = MetadataOf(context, kClientIdKey);
  caller.host = HostOf(context.peer());
  caller.credentials = CredentialsOf(context);
  const auto deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    caller.deadline = absl::FromChrono(deadline);
  }
  return caller;
}

grpc::Status ToGrpc(const WireStatus& wire,
                    grpc::CallbackServerContext* context) {
  if (!wire.retry_pushback.empty()) {
    context->AddTrailingMetadata(kRetryPushbackKey, wire.retry_pushback);
  }
  return grpc::Status(static_cast<grpc::StatusCode>(wire.code), wire.message,
                      wire.details);
}

grpc::Status PermitRpc(const RpcEnv& env, absl::string_view rpc,
                       grpc::CallbackServerContext* context) {
  if (env.policy == nullptr) return grpc::Status::OK;
  const Caller caller = CallerOf(*context);
  const absl::Status status =
      env.policy->Admit(rpc, caller.credentials, caller.host, env.clock->Now())
          .status();
  return status.ok() ? grpc::Status::OK
                     : ToGrpc(ToWireStatus(status, ""), context);
}

std::shared_ptr<Call> StartCall(const RpcEnv* env, absl::string_view method,
                                grpc::CallbackServerContext* context) {
  auto call = std::make_shared<Call>(env, method, CallerOf(*context));
  context->AddInitialMetadata(kRequestIdKey, call->request_id());
  return call;
}

grpc::ServerUnaryReactor* RunUnary(const RpcEnv* env, absl::string_view method,
                                   grpc::CallbackServerContext* context,
                                   const StartUnary& start) {
  const auto reactor = std::make_shared<UnaryReactor>(env, method, context);
  reactor->Start(start);
  return reactor.get();
}

}  // namespace alignsae
