#include "server/grpc/operator_service.h"

#include <memory>
#include <utility>

#include "server/api/methods.h"
#include "server/api/operator_rpcs.h"
#include "server/grpc/reactors.h"

namespace alignsae {

grpc::ServerUnaryReactor* OperatorServiceImpl::ListCheckpoints(
    grpc::CallbackServerContext* context,
    const v1::ListCheckpointsRequest* request,
    v1::ListCheckpointsResponse* response) {
  return RunUnary(env_, kRpcListCheckpoints, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ListCheckpoints(std::move(call), request,
                                              response, std::move(done));
                  });
}

grpc::ServerUnaryReactor* OperatorServiceImpl::LoadCheckpoint(
    grpc::CallbackServerContext* context,
    const v1::LoadCheckpointRequest* request,
    v1::LoadCheckpointResponse* response) {
  return RunUnary(env_, kRpcLoadCheckpoint, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::LoadCheckpoint(std::move(call), request, response,
                                             std::move(done));
                  });
}

grpc::ServerUnaryReactor* OperatorServiceImpl::UnloadCheckpoint(
    grpc::CallbackServerContext* context,
    const v1::UnloadCheckpointRequest* request,
    v1::UnloadCheckpointResponse* response) {
  return RunUnary(env_, kRpcUnloadCheckpoint, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::UnloadCheckpoint(std::move(call), request,
                                               response, std::move(done));
                  });
}

grpc::ServerUnaryReactor* OperatorServiceImpl::ReloadModel(
    grpc::CallbackServerContext* context, const v1::ReloadModelRequest* request,
    v1::ReloadModelResponse* response) {
  return RunUnary(env_, kRpcReloadModel, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ReloadModel(std::move(call), request, response,
                                          std::move(done));
                  });
}

grpc::ServerUnaryReactor* OperatorServiceImpl::UnloadModel(
    grpc::CallbackServerContext* context, const v1::UnloadModelRequest* request,
    v1::UnloadModelResponse* response) {
  return RunUnary(env_, kRpcUnloadModel, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::UnloadModel(std::move(call), request, response,
                                          std::move(done));
                  });
}

grpc::ServerUnaryReactor* OperatorServiceImpl::SetRollout(
    grpc::CallbackServerContext* context, const v1::SetRolloutRequest* request,
    v1::SetRolloutResponse* response) {
  return RunUnary(env_, kRpcSetRollout, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::SetRollout(std::move(call), request, response,
                                         std::move(done));
                  });
}

}  // namespace alignsae
