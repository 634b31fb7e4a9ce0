// The calls of the Open Inference Protocol that ask for a model, one function
// for each, as model_rpcs.h has those of ModelService. What asks for the server
// alone is answered without a call (server/grpc/inference_service.h).
//
// Threads, ownership: as in model_rpcs.h.
// Errors: NOT_FOUND for a model or a version that is not served. ModelMetadata:
// UNAVAILABLE while starting and draining, which ModelReady answers with false.

#ifndef ALIGNSAE_SERVER_API_INFERENCE_RPCS_H_
#define ALIGNSAE_SERVER_API_INFERENCE_RPCS_H_

#include <memory>

#include "inference/inference_service.pb.h"
#include "server/api/unary_call.h"

namespace alignsae {

void ModelReady(std::shared_ptr<Call> call,
                const inference::ModelReadyRequest* request,
                inference::ModelReadyResponse* response, Done done);
void ModelMetadata(std::shared_ptr<Call> call,
                   const inference::ModelMetadataRequest* request,
                   inference::ModelMetadataResponse* response, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_INFERENCE_RPCS_H_
