// The Connect protocol at the front door: POST to an RPC's path.
//
// Threads: Check and Handle on the door's; they do not block. Requests are read
// and answers rendered in the lanes.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_CONNECT_DOOR_H_
#define ALIGNSAE_SERVER_HTTP_CONNECT_DOOR_H_

#include <memory>
#include <optional>

#include "server/api/rpc_env.h"
#include "server/http/door_exchange.h"

namespace alignsae {

// Why a request is no call of an RPC, or nullopt.
std::optional<HttpFailure> CheckConnect(const HttpRequest& request);

// Answers a request that CheckConnect let through. `env` outlives the answer.
void HandleConnect(const RpcEnv* env,
                   const std::shared_ptr<DoorExchange>& exchange);

// A refusal as Connect's clients understand it.
HttpReply RefuseConnect(const HttpFailure& failure);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_CONNECT_DOOR_H_
