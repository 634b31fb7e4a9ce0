#include "server/api/operator_rpcs.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/enter_lane.h"

namespace alignsae {
namespace {

v1::GenerationState ToWire(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::GENERATION_STATE_LOADING;
    case ModelState::kReady:
      return v1::GENERATION_STATE_READY;
    case ModelState::kDraining:
      return v1::GENERATION_STATE_DRAINING;
    case ModelState::kGone:
      return v1::GENERATION_STATE_GONE;
  }
  return v1::GENERATION_STATE_UNSPECIFIED;
}

v1::ModelGeneration Render(const GenerationInfo& info,
                           const ModelRegistry& models) {
  v1::ModelGeneration wire;
  wire.set_model(info.model);
  wire.set_generation_id(info.generation);
  wire.set_state(ToWire(info.state));
  const int64_t nanoseconds = absl::ToUnixNanos(info.since);
  wire.mutable_state_time()->set_seconds(nanoseconds / 1000000000);
  wire.mutable_state_time()->set_nanos(
      static_cast<int32_t>(nanoseconds % 1000000000));
  wire.set_error(info.why);
  wire.set_bundle(info.bundle);
  wire.set_version(info.version);
  wire.set_sha256(info.sha256);
  for (const GenerationInfo::Checkpoint& checkpoint : info.checkpoints) {
    v1::LoadedCheckpoint* row = wire.add_checkpoints();
    row->set_name(checkpoint.name);
    row->set_version(checkpoint.version);
    row->set_sha256(checkpoint.sha256);
    row->set_generation_id(checkpoint.generation);
  }
  const Rollout rollout = models.rollouts().Of(info.model);
  if (rollout != Rollout()) {
    wire.mutable_rollout()->set_shadow(rollout.shadow);
    wire.mutable_rollout()->set_canary(rollout.canary);
    wire.mutable_rollout()->set_canary_fraction(rollout.canary_fraction);
  }
  return wire;
}

// `run` in `lane`; of the call, nobody but its ids is asked.
void RunOperation(std::shared_ptr<Call> call, Lane lane, int64_t request_bytes,
                  std::function<absl::Status(const Call&)> run, Done done) {
  struct Task {
    std::shared_ptr<Call> call;
    std::function<absl::Status(const Call&)> run;
    Done done;
  };
  const auto task = std::make_shared<const Task>(
      Task{std::move(call), std::move(run), std::move(done)});
  absl::Status taken = task->call->status();
  if (taken.ok()) {
    taken = EnterLane(*task->call, lane, request_bytes, [task] {
      task->done(WithoutMemoryFailure([&] { return task->run(*task->call); }));
    });
  }
  if (!taken.ok()) task->done(taken);
}

// What the policy calls a model: the default one by its own name.
std::string NameOf(const ModelRegistry& models, const std::string& asked) {
  const std::vector<std::string> names = models.Names();
  return asked.empty() && !names.empty() ? names.front() : asked;
}

// A change: `change` gives the generation that serves then.
template <typename Request, typename Response>
void RunChange(
    std::shared_ptr<Call> call, const Request* request, Response* response,
    std::function<absl::StatusOr<GenerationInfo>(ModelOperator&)> change,
    Done done) {
  RunOperation(
      std::move(call), Lane::kBackground,
      static_cast<int64_t>(request->ByteSizeLong()),
      [request, response,
       change = std::move(change)](const Call& of) -> absl::Status {
        ALIGNSAE_RETURN_IF_ERROR(
            of.PermitModel(NameOf(*of.env().models, request->model())));
        ALIGNSAE_ASSIGN_OR_RETURN(const GenerationInfo info,
                                  change(*of.env().model_operator));
        response->set_request_id(of.request_id());
        *response->mutable_generation() = Render(info, *of.env().models);
        return absl::OkStatus();
      },
      std::move(done));
}

}  // namespace

void ListCheckpoints(std::shared_ptr<Call> call,
                     const v1::ListCheckpointsRequest* request,
                     v1::ListCheckpointsResponse* response, Done done) {
  RunOperation(
      std::move(call), Lane::kInteractive,
      static_cast<int64_t>(request->ByteSizeLong()),
      [=](const Call& of) {
        response->set_request_id(of.request_id());
        for (const GenerationInfo& info : of.env().models->History()) {
          const bool asked =
              request->model().empty() || request->model() == info.model;
          if (asked && of.SeesModel(info.model == kDefaultModel ? info.own_name
                                                                : info.model)) {
            *response->add_generations() = Render(info, *of.env().models);
          }
        }
        return absl::OkStatus();
      },
      std::move(done));
}

void LoadCheckpoint(std::shared_ptr<Call> call,
                    const v1::LoadCheckpointRequest* request,
                    v1::LoadCheckpointResponse* response, Done done) {
  RunChange(
      std::move(call), request, response,
      [=](ModelOperator& models) {
        return models.LoadCheckpoint({request->model(), request->bundle(),
                                      request->sae(), request->name()});
      },
      std::move(done));
}

void UnloadCheckpoint(std::shared_ptr<Call> call,
                      const v1::UnloadCheckpointRequest* request,
                      v1::UnloadCheckpointResponse* response, Done done) {
  RunChange(
      std::move(call), request, response,
      [=](ModelOperator& models) {
        return models.UnloadCheckpoint(request->model(), request->checkpoint());
      },
      std::move(done));
}

void ReloadModel(std::shared_ptr<Call> call,
                 const v1::ReloadModelRequest* request,
                 v1::ReloadModelResponse* response, Done done) {
  RunChange(
      std::move(call), request, response,
      [=](ModelOperator& models) {
        return models.ReloadModel(request->model(), request->bundle());
      },
      std::move(done));
}

void UnloadModel(std::shared_ptr<Call> call,
                 const v1::UnloadModelRequest* request,
                 v1::UnloadModelResponse* response, Done done) {
  RunChange(
      std::move(call), request, response,
      [=](ModelOperator& models) {
        return models.UnloadModel(request->model());
      },
      std::move(done));
}

void SetRollout(std::shared_ptr<Call> call,
                const v1::SetRolloutRequest* request,
                v1::SetRolloutResponse* response, Done done) {
  RunChange(
      std::move(call), request, response,
      [=](ModelOperator& models) {
        return models.SetRollout(
            request->model(),
            {request->rollout().shadow(), request->rollout().canary(),
             request->rollout().canary_fraction()});
      },
      std::move(done));
}

}  // namespace alignsae
