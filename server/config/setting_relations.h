// How settings depend on each other.
//
//   --kv-slots              16 on cuda, unless it is given
//   --max-queued-sequences  at least 2: the arms of a Swap wait together
//   --max-prompts-per-batch at most --max-queued-sequences
//   --max-sweep-cells       at most one less: a sweep waits with its baseline
//   --max-new-tokens        so that a Swap's two arms, prompts of one token,
//                           fit into --max-queued-tokens
//   --max-prompt-bytes      fits with 1 KiB beside it into --max-receive-bytes,
//                           and that into --grpc-memory-mib
//   --max-connection-age-grace-seconds  at least --max-deadline-seconds
//   --listen, --admin-listen, --http-listen, --operator-listen   differ, but
//   for
//                           port 0
//   --operator-listen       at loopback unless --tls-client-ca is set
//   --http-listen           at loopback while --tls-client-ca is set: the front
//                           door knows no client
//   --tls-cert, --tls-key, --tls-client-ca
//   --reflection            on while --listen is loopback, unless it is given
//
// What is asked for is kept or refused, never changed in silence. A setting
// that was not given follows the one that it depends on; GetModel tells the
// limits in force. The others stand alone.
//
// Thread-safety: free functions.
// Errors: INVALID_ARGUMENT, one sentence that names both settings.

#ifndef ALIGNSAE_SERVER_CONFIG_SETTING_RELATIONS_H_
#define ALIGNSAE_SERVER_CONFIG_SETTING_RELATIONS_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/config/server_config.h"

namespace alignsae {

// `is_given` of "--name": whether anybody gave the setting.
absl::Status RelateSettings(
    const std::function<bool(absl::string_view)>& is_given,
    ServerConfig* config);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_CONFIG_SETTING_RELATIONS_H_
