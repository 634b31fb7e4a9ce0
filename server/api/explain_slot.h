// ConceptService.ExplainSlot: protobuf in, protobuf out, whatever the
// transport. Threads, ownership and errors as concept_rpcs.h; the work is the
// background lane's.

#ifndef ALIGNSAE_SERVER_API_EXPLAIN_SLOT_H_
#define ALIGNSAE_SERVER_API_EXPLAIN_SLOT_H_

#include <memory>

#include "alignsae/v1/concept_service.pb.h"
#include "server/api/unary_call.h"

namespace alignsae {

void ExplainSlot(std::shared_ptr<Call> call,
                 const v1::ExplainSlotRequest* request,
                 v1::ExplainSlotResponse* response, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_EXPLAIN_SLOT_H_
