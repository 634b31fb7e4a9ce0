// ConceptService, one function for each RPC: protobuf in, protobuf out,
// whatever the transport.
//
// Threads: called from a transport's thread, return at once; `done` runs once,
// in a lane, or here when the lane is full (unary_call.h has the way).
// Ownership: request and response are the transport's until `done`. What a
// failed call left in `response` is to be thrown away.
// Errors: those of parse_env.h, of Scheduler::Submit, and what the engine says;
// the transport sends Call::End of what `done` gets.

#ifndef ALIGNSAE_SERVER_API_CONCEPT_RPCS_H_
#define ALIGNSAE_SERVER_API_CONCEPT_RPCS_H_

#include <memory>

#include "alignsae/v1/concept_service.pb.h"
#include "server/api/answer_stream.h"
#include "server/api/unary_call.h"

namespace alignsae {

void ReadConcepts(std::shared_ptr<Call> call,
                  const v1::ReadConceptsRequest* request,
                  v1::ReadConceptsResponse* response, Done done);
// Encodes of the whole SAE (top_k) run in the background lane.
void InspectSlots(std::shared_ptr<Call> call,
                  const v1::InspectSlotsRequest* request,
                  v1::InspectSlotsResponse* response, Done done);
// Begun and driven by the transport (answer_stream.h); ends when the call does.
std::shared_ptr<AnswerStream> WatchSlots(
    std::shared_ptr<Call> call, const v1::WatchSlotsRequest* request,
    std::shared_ptr<StreamSink<v1::WatchSlotsResponse>> sink);

// The same; reads and swaps while nothing else runs (validate_stream.h).
std::shared_ptr<AnswerStream> ValidateBinding(
    std::shared_ptr<Call> call, const v1::ValidateBindingRequest* request,
    std::shared_ptr<StreamSink<v1::ValidateBindingResponse>> sink);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_CONCEPT_RPCS_H_
