// SteeringService.FindAlpha: protobuf in, protobuf out, whatever the transport.
//
// A call of several rounds, each a request of the scheduler's own: between two
// it is in the interactive lane, and in no queue of the scheduler. A deadline
// that passed and a cancel are seen there at the latest; a drain lets it end.
//
// Threads, ownership and errors as steering_rpcs.h. The deadline that leaves no
// time for another round is DEADLINE_EXCEEDED: what was found by then is lost,
// so give it the time or less to try.

#ifndef ALIGNSAE_SERVER_API_FIND_ALPHA_H_
#define ALIGNSAE_SERVER_API_FIND_ALPHA_H_

#include <memory>

#include "alignsae/v1/find_alpha.pb.h"
#include "server/api/unary_call.h"

namespace alignsae {

void FindAlpha(std::shared_ptr<Call> call, const v1::FindAlphaRequest* request,
               v1::FindAlphaResponse* response, Done done);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_FIND_ALPHA_H_
