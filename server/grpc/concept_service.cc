#include "server/grpc/concept_service.h"

#include <memory>
#include <utility>

#include "server/api/concept_rpcs.h"
#include "server/api/explain_slot.h"
#include "server/api/methods.h"
#include "server/grpc/reactors.h"
#include "server/grpc/read_stream_reactor.h"

namespace alignsae {

grpc::ServerUnaryReactor* ConceptServiceImpl::ReadConcepts(
    grpc::CallbackServerContext* context,
    const v1::ReadConceptsRequest* request,
    v1::ReadConceptsResponse* response) {
  return RunUnary(env_, kRpcReadConcepts, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ReadConcepts(std::move(call), request, response,
                                           std::move(done));
                  });
}

grpc::ServerBidiReactor<v1::ReadConceptsStreamRequest,
                        v1::ReadConceptsStreamResponse>*
ConceptServiceImpl::ReadConceptsStream(grpc::CallbackServerContext* context) {
  return RunReadStream(env_, context);
}

grpc::ServerUnaryReactor* ConceptServiceImpl::InspectSlots(
    grpc::CallbackServerContext* context,
    const v1::InspectSlotsRequest* request,
    v1::InspectSlotsResponse* response) {
  return RunUnary(env_, kRpcInspectSlots, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::InspectSlots(std::move(call), request, response,
                                           std::move(done));
                  });
}

grpc::ServerUnaryReactor* ConceptServiceImpl::ExplainSlot(
    grpc::CallbackServerContext* context, const v1::ExplainSlotRequest* request,
    v1::ExplainSlotResponse* response) {
  return RunUnary(env_, kRpcExplainSlot, context,
                  [=](std::shared_ptr<Call> call, Done done) {
                    alignsae::ExplainSlot(std::move(call), request, response,
                                          std::move(done));
                  });
}

grpc::ServerWriteReactor<v1::WatchSlotsResponse>*
ConceptServiceImpl::WatchSlots(grpc::CallbackServerContext* context,
                               const v1::WatchSlotsRequest* request) {
  return RunStream<v1::WatchSlotsResponse>(
      env_, kRpcWatchSlots, context,
      [=](std::shared_ptr<Call> call,
          std::shared_ptr<StreamSink<v1::WatchSlotsResponse>> sink) {
        return alignsae::WatchSlots(std::move(call), request, std::move(sink));
      });
}

grpc::ServerWriteReactor<v1::ValidateBindingResponse>*
ConceptServiceImpl::ValidateBinding(grpc::CallbackServerContext* context,
                                    const v1::ValidateBindingRequest* request) {
  return RunStream<v1::ValidateBindingResponse>(
      env_, kRpcValidateBinding, context,
      [=](std::shared_ptr<Call> call,
          std::shared_ptr<StreamSink<v1::ValidateBindingResponse>> sink) {
        return alignsae::ValidateBinding(std::move(call), request,
                                         std::move(sink));
      });
}

}  // namespace alignsae
