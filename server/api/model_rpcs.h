// ModelService, one function for each RPC: protobuf in, protobuf out, whatever
// the transport.
//
// Threads: called from a transport's thread, return at once; `done` runs once,
// in a lane, or here when the lane is full (unary_call.h has the way).
// Ownership: request and response are the transport's until `done`. What a
// failed call left in `response` is to be thrown away.
// Errors: those of parse_env.h, of Scheduler::Submit, and what the engine says;
// the transport sends Call::End of what `done` gets.

#ifndef ALIGNSAE_SERVER_API_MODEL_RPCS_H_
#define ALIGNSAE_SERVER_API_MODEL_RPCS_H_

#include <memory>

#include "alignsae/v1/model_service.pb.h"
#include "server/api/unary_call.h"

namespace alignsae {

void GetModel(std::shared_ptr<Call> call, const v1::GetModelRequest* request,
              v1::GetModelResponse* response, Done done);
void ListConcepts(std::shared_ptr<Call> call,
                  const v1::ListConceptsRequest* request,
                  v1::ListConceptsResponse* response, Done done);
void Tokenize(std::shared_ptr<Call> call, const v1::TokenizeRequest* request,
              v1::TokenizeResponse* response, Done done);
void Detokenize(std::shared_ptr<Call> call,
                const v1::DetokenizeRequest* request,
                v1::DetokenizeResponse* response, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_MODEL_RPCS_H_
