#include "server/api/unary_call.h"

#include <memory>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/active_request.h"
#include "server/api/asked_changes.h"
#include "server/api/enter_lane.h"
#include "server/api/held_bytes.h"

namespace alignsae {
namespace {

// An answer as large as this takes a millisecond or more to make.
constexpr int64_t kLargeAnswer = 512 << 10;

// Whether a call that waits for room has it now, or ends anyway.
bool HasRoom(Call& call, int64_t bytes) {
  return call.TryHold(bytes) || EndsAnyway(call);
}

// One call on its way. Alive as long as somebody has it: the lane or the
// scheduler that it waits in.
class ModelCall final : public std::enable_shared_from_this<ModelCall> {
 public:
  ModelCall(std::shared_ptr<Call> call, ModelWork work, Done done)
      : call_(std::move(call)),
        work_(std::move(work)),
        done_(std::move(done)) {}

  void Begin() {
    const absl::Status taken =
        EnterLane(*call_, Lane::kInteractive, work_.request_bytes,
                  [self = shared_from_this()] { self->Run(); });
    if (!taken.ok()) done_(taken);
  }

 private:
  // In the interactive lane.
  void Run() {
    EndUnlessOk(WithoutMemoryFailure([this] { return Parse(); }));
  }
  void EndUnlessOk(const absl::Status& status) {
    if (!status.ok()) done_(status);
  }

  absl::Status Parse() {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(call_));
    ALIGNSAE_ASSIGN_OR_RETURN(spec_, work_.parse(scope_));
    const int64_t bytes = HeldBytes(spec_, scope_.model->catalog());
    const int64_t more =
        work_.background == nullptr ? 0 : work_.background_bytes(spec_);
    large_ = bytes >= kLargeAnswer;
    if (more > 0) return WaitForRoom(bytes + more);
    ALIGNSAE_RETURN_IF_ERROR(call_->Hold(bytes));
    return Submit();
  }

  // Refusing it would have its client ask again at once.
  absl::Status WaitForRoom(int64_t bytes) {
    long_ = true;
    return EnterLane(
        *call_, Lane::kRoom, work_.request_bytes,
        [self = shared_from_this()] { self->GoOn(); },
        [self = shared_from_this(), bytes] {
          return HasRoom(*self->call_, bytes);
        });
  }

  // In the lane of those who wait for room: it has it, or is to end.
  void GoOn() {
    EndUnlessOk(WithoutMemoryFailure([this]() -> absl::Status {
      ALIGNSAE_RETURN_IF_ERROR(EnterCall(call_).status());
      return Submit();
    }));
  }

  absl::Status Submit() {
    auto collector = std::make_shared<AnswerCollector>(
        spec_.sequences.size(),
        [self = shared_from_this()](const absl::Status& status,
                                    std::vector<SequenceAnswer> answers) {
          self->Continue(status, std::move(answers));
        });
    return scope_.Submit(std::move(spec_), std::move(collector)).status();
  }

  // On the step thread: what is left to do goes to its lane.
  void Continue(const absl::Status& status,
                std::vector<SequenceAnswer> answers) {
    const auto shared =
        std::make_shared<std::vector<SequenceAnswer>>(std::move(answers));
    if (status.ok() && long_) {
      Background(shared, /*begun=*/false);
    } else if (!status.ok() || !large_ || !RenderInBackground(shared)) {
      Answer(status, shared);
    }
  }

  using Answers = std::shared_ptr<std::vector<SequenceAnswer>>;
  void Background(const Answers& answers, bool begun) {
    const bool taken = call_->env().lanes->background.TrySchedule(
        {call_->owner(),
         [self = shared_from_this(), answers] { self->RunPart(answers); },
         nullptr, begun});
    if (!taken) Answer(LaneFull(*call_, Lane::kBackground), answers);
  }

  // Small answers do not wait for large ones. Whether the lane has taken it.
  bool RenderInBackground(const Answers& answers) {
    return call_->env().lanes->background.TrySchedule(
        {call_->owner(), [self = shared_from_this(), answers] {
           const WorkTime time(*self->call_);
           self->Render(absl::OkStatus(), *answers);
         }});
  }

  // In the background lane.
  void RunPart(const Answers& answers) {
    const WorkTime time(*call_);
    bool last = true;
    const absl::Status status = WithoutMemoryFailure([&]() -> absl::Status {
      ALIGNSAE_ASSIGN_OR_RETURN(last, work_.background(scope_, *answers));
      return absl::OkStatus();
    });
    if (status.ok() && !last) {
      Background(answers, /*begun=*/true);
    } else {
      Render(status, *answers);
    }
  }

  void Answer(const absl::Status& status, Answers answers) {
    call_->env().lanes->interactive.Schedule(
        [self = shared_from_this(), status, answers = std::move(answers)] {
          self->Render(status, *answers);
        });
  }

  void Render(absl::Status status, std::vector<SequenceAnswer>& answers) {
    for (const SequenceAnswer& answer : answers) {
      call_->AddFinished(answer.finished);
    }
    if (status.ok()) {
      status =
          WithoutMemoryFailure([&] { return work_.render(scope_, answers); });
    }
    done_(status);
  }

  const std::shared_ptr<Call> call_;
  const ModelWork work_;
  const Done done_;
  // Written before Submit, read after RequestDone.
  CallScope scope_;
  RequestSpec spec_;    // From Parse to Submit.
  bool long_ = false;   // Has work for the background lane.
  bool large_ = false;  // Its answer takes milliseconds to render.
};

// The canary's requests are those of callers who may use it.
int DefaultCheckpointOf(const Call& call, const ServedModel& model) {
  const int chosen = model.DefaultCheckpoint(call.request_id());
  if (chosen == 0) return 0;
  return call.SeesCheckpoint(model.catalog().checkpoints[chosen].name) ? chosen
                                                                       : 0;
}

}  // namespace

ParseEnv CallScope::parse_env() const {
  return {&model->catalog(), &model->tokenizer(), &call->env().config.limits,
          [model = model](const Intervention& intervention) {
            return model->executor().CheckIntervention(intervention);
          },
          DefaultCheckpointOf(*call, *model)};
}

absl::StatusOr<RequestHandle> CallScope::Submit(
    RequestSpec spec, std::shared_ptr<RequestSink> sink) const {
  ALIGNSAE_RETURN_IF_ERROR(call->WhyStop());
  const Catalog& catalog = model->catalog();
  call->audit().SetAsked(spec, catalog);
  const int64_t tokens = TokensOf(spec);
  ALIGNSAE_RETURN_IF_ERROR(
      call->Permit(AskedOf(call->method(), spec, catalog), tokens));
  spec.max_slots = call->max_slots();
  spec.deadline = call->deadline();
  spec.origin = call->owner().origin;
  spec.client = call->owner().name;
  // Principals do not learn from times what others have asked.
  if (call->env().policy != nullptr) spec.prefix_scope = spec.origin;
  absl::StatusOr<RequestHandle> handle =
      model->scheduler().Submit(std::move(spec), std::move(sink));
  if (handle.ok()) {
    call->OnCancel([running = *handle] { running.Cancel(); });
  } else {
    call->Unspend(tokens);
  }
  return handle;
}

absl::StatusOr<CallScope> EnterCall(std::shared_ptr<Call> call) {
  ALIGNSAE_RETURN_IF_ERROR(call->status());
  ALIGNSAE_RETURN_IF_ERROR(call->WhyStop());
  absl::StatusOr<ModelLease> model = call->env().models->Acquire(call->model());
  if (absl::IsUnavailable(model.status())) {
    call->env().metrics->CountRejected(
        ReasonOf(model.status()) == kReasonStarting ? Rejection::kStarting
                                                    : Rejection::kDraining);
  }
  ALIGNSAE_RETURN_IF_ERROR(model.status());
  ALIGNSAE_RETURN_IF_ERROR(call->PermitModel((*model)->catalog().model.name));
  return CallScope{std::move(call), *std::move(model)};
}

absl::Status WithoutMemoryFailure(const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return WithReason(absl::ResourceExhaustedError("memory: std::bad_alloc"),
                      kReasonMemory);
  }
}

void RunDirect(std::shared_ptr<Call> call, DirectWork work, Done done) {
  struct Task {
    std::shared_ptr<Call> call;
    DirectWork work;
    Done done;
  };
  done = PacedDone(call, work.request_bytes, std::move(done));
  const auto task = std::make_shared<const Task>(
      Task{std::move(call), std::move(work), std::move(done)});
  const int64_t bytes = task->work.answer_bytes;
  const absl::Status taken = EnterLane(
      *task->call,
      bytes >= kLargeAnswer || task->work.slow ? Lane::kBackground
                                               : Lane::kInteractive,
      task->work.request_bytes,
      [task] {
        task->done(WithoutMemoryFailure([&]() -> absl::Status {
          ALIGNSAE_ASSIGN_OR_RETURN(const CallScope scope,
                                    EnterCall(task->call));
          return task->work.run(scope);
        }));
      },
      [task, bytes] { return HasRoom(*task->call, bytes); });
  if (!taken.ok()) task->done(taken);
}

void RunOnModel(std::shared_ptr<Call> call, ModelWork work, Done done) {
  done = PacedDone(call, work.request_bytes, std::move(done));
  std::make_shared<ModelCall>(std::move(call), std::move(work), std::move(done))
      ->Begin();
}

}  // namespace alignsae
