// RpcEnv: what all calls share.
//
// Ownership: main.cc owns all of it, and ends it after the last call.
//
// Thread-safety: immutable; what it points to is thread-safe.

#ifndef ALIGNSAE_SERVER_API_RPC_ENV_H_
#define ALIGNSAE_SERVER_API_RPC_ENV_H_

#include <atomic>
#include <cstdint>

#include "model/base/clock.h"
#include "model/scheduler/event_queue.h"
#include "server/config/server_config.h"
#include "server/metrics/metrics.h"
#include "server/policy/policy_guard.h"
#include "server/process/audit_log.h"
#include "server/process/lanes.h"
#include "server/process/memory_budget.h"
#include "server/process/refusal_pace.h"
#include "server/registry/model_operator.h"
#include "server/registry/model_registry.h"

namespace alignsae {

// What calls may hold at once.
struct CallMemory {
  // `limit` bytes, a quarter of them for requests that wait for a lane.
  explicit CallMemory(int64_t limit)
      : requests(limit / 4), answers(limit - limit / 4) {}
  MemoryBudget requests;
  MemoryBudget answers;
};

class SlotWatchers;

struct RpcEnv {
  ModelRegistry* models = nullptr;
  Lanes* lanes = nullptr;
  Metrics* metrics = nullptr;
  const Clock* clock = nullptr;
  CallMemory* memory = nullptr;
  std::atomic<int>* open_calls = nullptr;  // Calls that are not yet gone.
  ServerConfig config;                     // Limits, and what GetModel tells.
  EventQueue::Options unread = {};  // What a stream's reader may leave unread.
  ModelOperator* model_operator = nullptr;  // Null: nobody may change models.
  SlotWatchers* watchers = nullptr;         // Of WatchSlots.
  PolicyGuard* policy = nullptr;  // Null: whoever calls may do everything.
  AuditLog* audit = nullptr;      // Null: none is kept.
  RefusalPace* refusal_pace = nullptr;  // Null: all are told at once.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RPC_ENV_H_
