// The RPCs by their paths, "/alignsae.v1.SteeringService/Swap", as the Connect
// protocol calls them: each is its function of server/api.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_SERVER_HTTP_CONNECT_RPCS_H_
#define ALIGNSAE_SERVER_HTTP_CONNECT_RPCS_H_

#include <memory>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/api/call.h"
#include "server/api/unary_call.h"
#include "server/http/connect_codec.h"
#include "server/http/door_exchange.h"

namespace alignsae {

// A call on its way from a request to an answer; alive until the exchange's
// OnDone.
struct ConnectCall {
  std::shared_ptr<DoorExchange> exchange;
  std::shared_ptr<Call> call;
  Codec codec = Codec::kJson;
  std::unique_ptr<google::protobuf::Message> request;
};

struct ConnectRpc {
  absl::string_view method;  // "SteeringService/Swap".
  const google::protobuf::Message* request_type = nullptr;
  const google::protobuf::Message* response_type = nullptr;
  // One of the two. `stream` takes the answer to its end.
  void (*unary)(std::shared_ptr<Call>, const google::protobuf::Message&,
                google::protobuf::Message*, Done) = nullptr;
  void (*stream)(std::shared_ptr<ConnectCall>) = nullptr;
};

// nullptr: there is none.
const ConnectRpc* FindConnectRpc(absl::string_view path);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_CONNECT_RPCS_H_
