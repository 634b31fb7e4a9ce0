// OperatorService, one function for each RPC: protobuf in, protobuf out.
//
// Loads run in the background lane, one at a time, whatever becomes of their
// calls; a list is made in the interactive lane.
//
// Threads and ownership: as model_rpcs.h. RpcEnv::model_operator must not be
// null.
// Errors: those of ModelOperator.

#ifndef ALIGNSAE_SERVER_API_OPERATOR_RPCS_H_
#define ALIGNSAE_SERVER_API_OPERATOR_RPCS_H_

#include <memory>

#include "alignsae/v1/operator_service.pb.h"
#include "server/api/unary_call.h"

namespace alignsae {

void ListCheckpoints(std::shared_ptr<Call> call,
                     const v1::ListCheckpointsRequest* request,
                     v1::ListCheckpointsResponse* response, Done done);
void LoadCheckpoint(std::shared_ptr<Call> call,
                    const v1::LoadCheckpointRequest* request,
                    v1::LoadCheckpointResponse* response, Done done);
void UnloadCheckpoint(std::shared_ptr<Call> call,
                      const v1::UnloadCheckpointRequest* request,
                      v1::UnloadCheckpointResponse* response, Done done);
void ReloadModel(std::shared_ptr<Call> call,
                 const v1::ReloadModelRequest* request,
                 v1::ReloadModelResponse* response, Done done);
void UnloadModel(std::shared_ptr<Call> call,
                 const v1::UnloadModelRequest* request,
                 v1::UnloadModelResponse* response, Done done);
void SetRollout(std::shared_ptr<Call> call,
                const v1::SetRolloutRequest* request,
                v1::SetRolloutResponse* response, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_OPERATOR_RPCS_H_
