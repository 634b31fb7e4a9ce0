// How a ReadConceptsStream call of gRPC becomes a ReadStream of server/api.
//
// Threads: gRPC's callback threads, and its timers'; nothing blocks.
// Ownership: the reactor owns itself from its start until OnDone and the last
// tick.

#ifndef ALIGNSAE_SERVER_GRPC_READ_STREAM_REACTOR_H_
#define ALIGNSAE_SERVER_GRPC_READ_STREAM_REACTOR_H_

#include <grpcpp/grpcpp.h>

#include "alignsae/v1/concept_service.pb.h"
#include "server/api/rpc_env.h"

namespace alignsae {

grpc::ServerBidiReactor<v1::ReadConceptsStreamRequest,
                        v1::ReadConceptsStreamResponse>*
RunReadStream(const RpcEnv* env, grpc::CallbackServerContext* context);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_GRPC_READ_STREAM_REACTOR_H_
