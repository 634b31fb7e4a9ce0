#include "server/grpc/unary_call.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

constexpr absl::Duration kRetryWhileStarting = absl::Seconds(1);
constexpr absl::Duration kRetryWhenBusy = absl::Milliseconds(200);

class ModelCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<ModelCall> {
 public:
  ModelCall(const RpcEnv* env, absl::string_view method,
            grpc::CallbackServerContext* context, ParseRequest parse,
            RenderAnswer render)
      : call_(env, method, context),
        parse_(std::move(parse)),
        render_(std::move(render)) {}

  void Begin() {
    self_ = shared_from_this();
    if (!call_.env().workers->TrySchedule([this] { Run(); })) {
      End(WorkersBusy(call_));
    }
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    if (handle_.has_value()) handle_->Cancel();
  }

  void OnDone() override { self_.reset(); }

 private:
  // On a worker. The call is alive: nothing has finished it yet.
  void Run() {
    const std::shared_ptr<ModelCall> alive = self_;
    const absl::Status status = Submit();
    if (!status.ok()) End(status);
  }

  absl::Status Submit() ABSL_LOCKS_EXCLUDED(mutex_) {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(&call_));
    ALIGNSAE_ASSIGN_OR_RETURN(RequestSpec spec, parse_(scope_));
    spec.deadline = call_.deadline();
    spec.client = call_.client();
    auto collector = std::make_shared<AnswerCollector>(
        spec.sequences.size(),
        [self = self_](absl::Status status,
                       std::vector<SequenceAnswer> answers) {
          self->call_.env().workers->Schedule(
              [self, status = std::move(status),
               answers = std::move(answers)]() mutable {
                self->Answer(std::move(status), answers);
              });
        });
    ALIGNSAE_ASSIGN_OR_RETURN(
        RequestHandle handle,
        scope_.serving->scheduler->Submit(std::move(spec), collector));
    MutexLock lock(&mutex_);
    if (cancelled_) handle.Cancel();
    handle_ = std::move(handle);
    return absl::OkStatus();
  }

  void Answer(absl::Status status, std::vector<SequenceAnswer>& answers) {
    for (const SequenceAnswer& answer : answers) {
      call_.AddTokens(answer.finished.prompt_tokens,
                      answer.finished.generated_tokens);
    }
    if (status.ok()) status = render_(scope_, answers);
    End(status);
  }

  void End(const absl::Status& status) { Finish(call_.End(status)); }

  Call call_;
  const ParseRequest parse_;
  const RenderAnswer render_;
  CallScope scope_;  // Written before Submit, read after RequestDone.
  std::shared_ptr<ModelCall> self_;  // Until gRPC is done with it.
  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<RequestHandle> handle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

ParseEnv CallScope::parse_env() const {
  return {serving->catalog.get(), serving->tokenizer.get(),
          &call->env().config.limits,
          [scheduler = serving->scheduler](const Intervention& intervention) {
            return scheduler->CheckIntervention(intervention);
          }};
}

absl::StatusOr<CallScope> EnterCall(Call* call) {
  ALIGNSAE_RETURN_IF_ERROR(call->status());
  // Nobody waits for these any more.
  if (call->env().clock->Now() >= call->deadline()) {
    return absl::DeadlineExceededError("deadline: has passed");
  }
  if (call->context()->IsCancelled()) {
    return absl::CancelledError("the client cancelled the call");
  }
  if (call->env().serving->draining()) {
    call->env().metrics->CountRejected("draining");
    return WithReason(absl::UnavailableError("server: is shutting down"),
                      kReasonDraining);
  }
  CallScope scope = {call, call->env().serving->Get()};
  if (scope.serving == nullptr) {
    call->env().metrics->CountRejected("starting");
    return WithRetryAfter(
        WithReason(absl::UnavailableError("server: is loading the model"),
                   kReasonStarting),
        kRetryWhileStarting);
  }
  return scope;
}

absl::Status WorkersBusy(Call& call) {
  call.env().metrics->CountRejected("queue_full");
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(
                     "server: has too many requests waiting to be parsed"),
                 kReasonQueueFull),
      kRetryWhenBusy);
}

grpc::ServerUnaryReactor* RunOnWorker(const RpcEnv* env,
                                      absl::string_view method,
                                      grpc::CallbackServerContext* context,
                                      Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_shared<Call>(env, method, context);
  const bool taken =
      env->workers->TrySchedule([call, reactor, work = std::move(work)] {
        const absl::StatusOr<CallScope> scope = EnterCall(call.get());
        reactor->Finish(call->End(scope.ok() ? work(*scope) : scope.status()));
      });
  if (!taken) reactor->Finish(call->End(WorkersBusy(*call)));
  return reactor;
}

grpc::ServerUnaryReactor* RunOnModel(const RpcEnv* env,
                                     absl::string_view method,
                                     grpc::CallbackServerContext* context,
                                     ParseRequest parse, RenderAnswer render) {
  auto call = std::make_shared<ModelCall>(env, method, context,
                                          std::move(parse), std::move(render));
  call->Begin();
  return call.get();
}

}  // namespace alignsae
