// SteeringService, one function for each RPC: protobuf in, protobuf out,
// whatever the transport.
//
// Threads: called from a transport's thread, return at once; `done` runs once,
// in a lane, or here when the lane is full (unary_call.h has the way).
// Ownership: request and response are the transport's until `done`. What a
// failed call left in `response` is to be thrown away.
// Errors: those of parse_env.h, of Scheduler::Submit, and what the engine says;
// the transport sends Call::End of what `done` gets.
//
// Generate, SweepAlpha and SwapMatrix give a stream, which the transport begins
// and drives (model_stream.h).

#ifndef ALIGNSAE_SERVER_API_STEERING_RPCS_H_
#define ALIGNSAE_SERVER_API_STEERING_RPCS_H_

#include <memory>

#include "alignsae/v1/steering_service.pb.h"
#include "server/api/model_stream.h"
#include "server/api/unary_call.h"

namespace alignsae {

void Swap(std::shared_ptr<Call> call, const v1::SwapRequest* request,
          v1::SwapResponse* response, Done done);
void Complete(std::shared_ptr<Call> call, const v1::CompleteRequest* request,
              v1::CompleteResponse* response, Done done);
std::shared_ptr<ModelStream<v1::GenerateResponse>> Generate(
    std::shared_ptr<Call> call, const v1::GenerateRequest* request,
    std::shared_ptr<StreamSink<v1::GenerateResponse>> sink);
std::shared_ptr<ModelStream<v1::SweepAlphaResponse>> SweepAlpha(
    std::shared_ptr<Call> call, const v1::SweepAlphaRequest* request,
    std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink);
std::shared_ptr<ModelStream<v1::SwapMatrixResponse>> SwapMatrix(
    std::shared_ptr<Call> call, const v1::SwapMatrixRequest* request,
    std::shared_ptr<StreamSink<v1::SwapMatrixResponse>> sink);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_STEERING_RPCS_H_
