// The commands of operators: what is loaded, and other checkpoints and models
// while the server answers.

#include <string>

#include "absl/status/status.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/run.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// The generation that a change has made.
template <typename Response>
std::string RenderNew(const Response& answer, const Look& look) {
  v1::ListCheckpointsResponse list;
  *list.add_generations() = answer.generation();
  return RenderGenerations(list, look);
}

}  // namespace

absl::Status RunCheckpoints(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::ListCheckpointsRequest request;
  request.set_model(options.model);
  return PrintAnswer(options, client.ListCheckpoints(request),
                     RenderGenerations);
}

absl::Status RunLoad(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::LoadCheckpointRequest request;
  request.set_model(options.model);
  request.set_bundle(options.bundle);
  request.set_sae(options.sae);
  request.set_name(options.name);
  return PrintAnswer(options, client.LoadCheckpoint(request),
                     RenderNew<v1::LoadCheckpointResponse>);
}

absl::Status RunUnload(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::UnloadCheckpointRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  return PrintAnswer(options, client.UnloadCheckpoint(request),
                     RenderNew<v1::UnloadCheckpointResponse>);
}

absl::Status RunReload(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::ReloadModelRequest request;
  request.set_model(options.model);
  request.set_bundle(options.bundle);
  return PrintAnswer(options, client.ReloadModel(request),
                     RenderNew<v1::ReloadModelResponse>);
}

absl::Status RunUnloadModel(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::UnloadModelRequest request;
  request.set_model(options.name);
  return PrintAnswer(options, client.UnloadModel(request),
                     RenderNew<v1::UnloadModelResponse>);
}

absl::Status RunRollout(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::SetRolloutRequest request;
  request.set_model(options.model);
  request.mutable_rollout()->set_shadow(options.shadow);
  request.mutable_rollout()->set_canary(options.canary);
  request.mutable_rollout()->set_canary_fraction(options.canary_fraction);
  return PrintAnswer(options, client.SetRollout(request),
                     RenderNew<v1::SetRolloutResponse>);
}

}  // namespace alignsae
