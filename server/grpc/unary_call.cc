#include "server/grpc/unary_call.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

constexpr absl::Duration kRetryInteractive = absl::Milliseconds(200);
constexpr absl::Duration kRetryBackground = absl::Seconds(5);

absl::Status LaneFull(Call& call, absl::string_view sentence,
                      absl::Duration retry) {
  call.env().metrics->CountRejected(Rejection::kQueueFull);
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(sentence), kReasonQueueFull),
      retry);
}

class ModelCall final : public grpc::ServerUnaryReactor,
                        public std::enable_shared_from_this<ModelCall> {
 public:
  ModelCall(const RpcEnv* env, absl::string_view method,
            grpc::CallbackServerContext* context, ModelWork work)
      : call_(env, method, context), work_(std::move(work)) {}

  void Begin() {
    self_ = shared_from_this();
    if (!call_.env().lanes->interactive.TrySchedule([this] { Run(); })) {
      End(InteractiveBusy(call_));
    }
  }

  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    if (handle_.has_value()) handle_->Cancel();
  }

  void OnDone() override { self_.reset(); }

 private:
  // In the interactive lane. The call is alive: nothing has finished it yet.
  void Run() {
    const std::shared_ptr<ModelCall> alive = self_;
    const absl::Status status = Submit();
    if (!status.ok()) End(status);
  }

  absl::Status Submit() ABSL_LOCKS_EXCLUDED(mutex_) {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(&call_));
    ALIGNSAE_ASSIGN_OR_RETURN(RequestSpec spec, work_.parse(scope_));
    spec.deadline = call_.deadline();
    spec.client = call_.client();
    auto collector = std::make_shared<AnswerCollector>(
        spec.sequences.size(),
        [self = self_](absl::Status status,
                       std::vector<SequenceAnswer> answers) {
          self->Continue(std::move(status), std::move(answers));
        });
    ALIGNSAE_ASSIGN_OR_RETURN(
        RequestHandle handle,
        scope_.model->scheduler().Submit(std::move(spec), collector));
    MutexLock lock(&mutex_);
    if (cancelled_) handle.Cancel();
    handle_ = std::move(handle);
    return absl::OkStatus();
  }

  // On the step thread: what is left to do goes to its lane.
  void Continue(absl::Status status, std::vector<SequenceAnswer> answers) {
    const auto shared =
        std::make_shared<std::vector<SequenceAnswer>>(std::move(answers));
    const std::shared_ptr<ModelCall> self = self_;
    if (!status.ok() || work_.background == nullptr ||
        !work_.has_background()) {
      Answer(status, shared);
      return;
    }
    if (!call_.env().lanes->background.TrySchedule([self, shared] {
          absl::Status worked = self->call_.WhyStop();
          if (worked.ok()) {
            worked = self->work_.background(self->scope_, *shared);
          }
          self->Answer(worked, shared);
        })) {
      Answer(BackgroundBusy(call_), shared);
    }
  }

  void Answer(const absl::Status& status,
              std::shared_ptr<std::vector<SequenceAnswer>> answers) {
    call_.env().lanes->interactive.Schedule(
        [self = self_, status, answers = std::move(answers)] {
          self->Render(status, *answers);
        });
  }

  void Render(absl::Status status, std::vector<SequenceAnswer>& answers) {
    for (const SequenceAnswer& answer : answers) {
      call_.AddTokens(answer.finished.prompt_tokens,
                      answer.finished.generated_tokens);
    }
    if (status.ok()) status = work_.render(scope_, answers);
    End(status);
  }

  void End(const absl::Status& status) { Finish(call_.End(status)); }

  Call call_;
  const ModelWork work_;
  CallScope scope_;  // Written before Submit, read after RequestDone.
  std::shared_ptr<ModelCall> self_;  // Until gRPC is done with it.
  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<RequestHandle> handle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

ParseEnv CallScope::parse_env() const {
  return {&model->catalog(), &model->tokenizer(), &call->env().config.limits,
          [model = model](const Intervention& intervention) {
            return model->executor().CheckIntervention(intervention);
          }};
}

absl::StatusOr<CallScope> EnterCall(Call* call) {
  ALIGNSAE_RETURN_IF_ERROR(call->status());
  ALIGNSAE_RETURN_IF_ERROR(call->WhyStop());
  absl::StatusOr<ModelLease> model = call->env().models->Acquire(kDefaultModel);
  if (absl::IsUnavailable(model.status())) {
    call->env().metrics->CountRejected(
        ReasonOf(model.status()) == kReasonStarting ? Rejection::kStarting
                                                    : Rejection::kDraining);
  }
  ALIGNSAE_RETURN_IF_ERROR(model.status());
  return CallScope{call, *std::move(model)};
}

absl::Status InteractiveBusy(Call& call) {
  return LaneFull(call, "server: has too many requests waiting to be parsed",
                  kRetryInteractive);
}

absl::Status BackgroundBusy(Call& call) {
  return LaneFull(call,
                  "server: has too many encodes of whole SAEs waiting; ask "
                  "without top_k, or later",
                  kRetryBackground);
}

grpc::ServerUnaryReactor* RunInteractive(const RpcEnv* env,
                                         absl::string_view method,
                                         grpc::CallbackServerContext* context,
                                         Work work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto call = std::make_shared<Call>(env, method, context);
  const bool taken = env->lanes->interactive.TrySchedule(
      [call, reactor, work = std::move(work)] {
        const absl::StatusOr<CallScope> scope = EnterCall(call.get());
        reactor->Finish(call->End(scope.ok() ? work(*scope) : scope.status()));
      });
  if (!taken) reactor->Finish(call->End(InteractiveBusy(*call)));
  return reactor;
}

grpc::ServerUnaryReactor* RunOnModel(const RpcEnv* env,
                                     absl::string_view method,
                                     grpc::CallbackServerContext* context,
                                     ModelWork work) {
  auto call =
      std::make_shared<ModelCall>(env, method, context, std::move(work));
  call->Begin();
  return call.get();
}

}  // namespace alignsae
