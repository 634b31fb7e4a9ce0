#include "server/grpc/inference_service.h"

#include <memory>
#include <utility>

#include "model/base/version.h"
#include "server/api/inference_rpcs.h"
#include "server/api/methods.h"
#include "server/grpc/reactors.h"

namespace alignsae {
namespace {

grpc::ServerUnaryReactor* AnsweredAtOnce(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerLive(
    grpc::CallbackServerContext* context,
    const inference::ServerLiveRequest* /*request*/,
    inference::ServerLiveResponse* response) {
  response->set_live(true);
  return AnsweredAtOnce(context);
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerReady(
    grpc::CallbackServerContext* context,
    const inference::ServerReadyRequest* /*request*/,
    inference::ServerReadyResponse* response) {
  response->set_ready(ready_());
  return AnsweredAtOnce(context);
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerMetadata(
    grpc::CallbackServerContext* context,
    const inference::ServerMetadataRequest* /*request*/,
    inference::ServerMetadataResponse* response) {
  response->set_name("alignsae-server");
  response->set_version(kVersion);
  for (const std::string& service : services_) {
    response->add_extensions(service);
  }
  return AnsweredAtOnce(context);
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelReady(
    grpc::CallbackServerContext* context,
    const inference::ModelReadyRequest* request,
    inference::ModelReadyResponse* response) {
  return RunUnary(env_, kRpcModelReady, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ModelReady(std::move(call), request, response,
                                         std::move(done));
                  });
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelMetadata(
    grpc::CallbackServerContext* context,
    const inference::ModelMetadataRequest* request,
    inference::ModelMetadataResponse* response) {
  return RunUnary(env_, kRpcModelMetadata, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ModelMetadata(std::move(call), request, response,
                                            std::move(done));
                  });
}

}  // namespace alignsae
