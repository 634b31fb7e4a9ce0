// alignsae.v1.ConceptService: reads concept slots.
//
// Threads: gRPC's threads call the methods, which make a call and return; the
// lanes do the work (the background lane encodes whole SAEs). A method that
// refuses does so through the reactor that it returns, never nullptr.
//
// Thread-safety: thread-safe. Must outlive the grpc::Server.

#ifndef ALIGNSAE_SERVER_GRPC_CONCEPT_SERVICE_H_
#define ALIGNSAE_SERVER_GRPC_CONCEPT_SERVICE_H_

#include "alignsae/v1/concept_service.grpc.pb.h"
#include "server/api/rpc_env.h"
#include "server/grpc/arena_messages.h"

namespace alignsae {

class ConceptServiceImpl final : public v1::ConceptService::CallbackService {
 public:
  explicit ConceptServiceImpl(const RpcEnv* env) : env_(env) {
    SetMessageAllocatorFor_InspectSlots(&inspect_messages_);
  }

  grpc::ServerUnaryReactor* ReadConcepts(
      grpc::CallbackServerContext* context,
      const v1::ReadConceptsRequest* request,
      v1::ReadConceptsResponse* response) override;
  grpc::ServerBidiReactor<v1::ReadConceptsStreamRequest,
                          v1::ReadConceptsStreamResponse>*
  ReadConceptsStream(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* InspectSlots(
      grpc::CallbackServerContext* context,
      const v1::InspectSlotsRequest* request,
      v1::InspectSlotsResponse* response) override;
  grpc::ServerUnaryReactor* ExplainSlot(
      grpc::CallbackServerContext* context,
      const v1::ExplainSlotRequest* request,
      v1::ExplainSlotResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchSlotsResponse>* WatchSlots(
      grpc::CallbackServerContext* context,
      const v1::WatchSlotsRequest* request) override;
  grpc::ServerWriteReactor<v1::ValidateBindingResponse>* ValidateBinding(
      grpc::CallbackServerContext* context,
      const v1::ValidateBindingRequest* request) override;

 private:
  const RpcEnv* const env_;
  ArenaMessages<v1::InspectSlotsRequest, v1::InspectSlotsResponse>
      inspect_messages_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_CONCEPT_SERVICE_H_
