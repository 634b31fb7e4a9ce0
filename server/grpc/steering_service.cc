#include "server/grpc/steering_service.h"

#include <memory>
#include <utility>

#include "server/api/find_alpha.h"
#include "server/api/methods.h"
#include "server/api/steering_rpcs.h"
#include "server/grpc/reactors.h"

namespace alignsae {

grpc::ServerUnaryReactor* SteeringServiceImpl::Swap(
    grpc::CallbackServerContext* context, const v1::SwapRequest* request,
    v1::SwapResponse* response) {
  return RunUnary(
      env_, kRpcSwap, context, [=](std::shared_ptr<Call> call, Done done) {
        alignsae::Swap(std::move(call), request, response, std::move(done));
      });
}

grpc::ServerUnaryReactor* SteeringServiceImpl::Complete(
    grpc::CallbackServerContext* context, const v1::CompleteRequest* request,
    v1::CompleteResponse* response) {
  return RunUnary(
      env_, kRpcComplete, context, [=](std::shared_ptr<Call> call, Done done) {
        alignsae::Complete(std::move(call), request, response, std::move(done));
      });
}

grpc::ServerWriteReactor<v1::GenerateResponse>* SteeringServiceImpl::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return RunStream<v1::GenerateResponse>(
      env_, kRpcGenerate, context,
      [=](std::shared_ptr<Call> call,
          std::shared_ptr<StreamSink<v1::GenerateResponse>> sink) {
        return alignsae::Generate(std::move(call), request, std::move(sink));
      });
}

grpc::ServerWriteReactor<v1::SweepAlphaResponse>*
SteeringServiceImpl::SweepAlpha(grpc::CallbackServerContext* context,
                                const v1::SweepAlphaRequest* request) {
  return RunStream<v1::SweepAlphaResponse>(
      env_, kRpcSweepAlpha, context,
      [=](std::shared_ptr<Call> call,
          std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink) {
        return alignsae::SweepAlpha(std::move(call), request, std::move(sink));
      });
}

grpc::ServerWriteReactor<v1::SwapMatrixResponse>*
SteeringServiceImpl::SwapMatrix(grpc::CallbackServerContext* context,
                                const v1::SwapMatrixRequest* request) {
  return RunStream<v1::SwapMatrixResponse>(
      env_, kRpcSwapMatrix, context,
      [=](std::shared_ptr<Call> call,
          std::shared_ptr<StreamSink<v1::SwapMatrixResponse>> sink) {
        return alignsae::SwapMatrix(std::move(call), request, std::move(sink));
      });
}

grpc::ServerUnaryReactor* SteeringServiceImpl::FindAlpha(
    grpc::CallbackServerContext* context, const v1::FindAlphaRequest* request,
    v1::FindAlphaResponse* response) {
  return RunUnary(env_, kRpcFindAlpha, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::FindAlpha(std::move(call), request, response,
                                        std::move(done));
                  });
}

}  // namespace alignsae
