// RpcEnv: what all calls share.
//
// Ownership: main.cc owns all of it, and ends it after the last call.
//
// Thread-safety: immutable; what it points to is thread-safe.

#ifndef ALIGNSAE_SERVER_API_RPC_ENV_H_
#define ALIGNSAE_SERVER_API_RPC_ENV_H_

#include <atomic>

#include "model/base/clock.h"
#include "model/scheduler/event_queue.h"
#include "server/config/server_config.h"
#include "server/metrics/metrics.h"
#include "server/process/lanes.h"
#include "server/registry/model_registry.h"

namespace alignsae {

struct RpcEnv {
  ModelRegistry* models = nullptr;
  Lanes* lanes = nullptr;
  Metrics* metrics = nullptr;
  const Clock* clock = nullptr;
  std::atomic<int>* open_calls = nullptr;  // Calls that are not yet gone.
  ServerConfig config;                     // Limits, and what GetModel tells.
  EventQueue::Options unread = {};  // What a stream's reader may leave unread.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RPC_ENV_H_
