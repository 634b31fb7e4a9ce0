// What is known of a request from when it is taken until it ends, and the parts
// in which it waits.
//
// Thread-safety: not thread-safe but for ActiveRequest::cancelled_at; the
// scheduler guards what waits, the step thread owns the rest.

#ifndef ALIGNSAE_MODEL_SCHEDULER_ACTIVE_REQUEST_H_
#define ALIGNSAE_MODEL_SCHEDULER_ACTIVE_REQUEST_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "model/scheduler/kv_amount.h"
#include "model/scheduler/request.h"

namespace alignsae {

// A request that was taken and has not ended.
struct ActiveRequest {
  ActiveRequest(RequestSpec s, std::shared_ptr<RequestSink> k, absl::Time now)
      : spec(std::move(s)),
        sink(std::move(k)),
        submitted(now),
        unfinished(static_cast<int>(spec.sequences.size())) {}

  const RequestSpec spec;
  const std::shared_ptr<RequestSink> sink;
  const absl::Time submitted;
  // When the client cancelled, in nanoseconds since the epoch; 0: it did not.
  std::atomic<int64_t> cancelled_at{0};
  bool started = false;  // The queue's: some sequence has left it.

  // The step thread's.
  int unfinished;      // Sequences.
  bool ended = false;  // RequestDone was delivered.
};

// Sequences of one request that start in the same step.
struct QueuedUnit {
  std::shared_ptr<ActiveRequest> request;
  std::vector<int> sequences;  // Indices into request->spec.sequences.
  int64_t tokens = 0;          // Prompt and max_new_tokens of all of them.
};

// Asked, once, of a unit that leaves the queue: how many of its prompt tokens
// need not be computed.
using SavedFn = std::function<int64_t(const QueuedUnit&)>;

// Prompt and max_new_tokens, of all sequences.
int64_t TokensOf(const SequenceSpec& sequence);
int64_t TokensOf(const RequestSpec& spec);

// What each of `sequences` of `spec`, which start together, writes of its KV
// slot: all that it may become or, behind the first one, what is not shared
// with it.
std::vector<KvRange> WritesOf(const RequestSpec& spec,
                              const std::vector<int>& sequences);

// The sum.
KvAmount HeldBy(const RequestSpec& spec, const std::vector<int>& sequences);

// What `unit` needs of the KV cache to start: where it may start in parts its
// first sequence and those that follow it, else all of them.
KvAmount NeedOf(const QueuedUnit& unit);
// What it would take if it were next and so much were free: all of it or, in
// parts, as much as fits; never less than it needs. A part does not end between
// a sequence and one that follows it. And what it asked for with that.
struct UnitPart {
  int sequences = 0;
  KvAmount kv;
  int64_t tokens = 0;  // Prompt and max_new_tokens.
};
UnitPart PartOf(const QueuedUnit& unit, const KvAmount& free);

// The most of the KV cache that some of it needs in the same step.
KvAmount NeedAtOnce(const RequestSpec& spec);

// Whether its sequences hold their KV slots for long: answers of more than
// kShortTokens tokens, and sweeps, which start a cell wherever one has ended.
inline constexpr int kShortTokens = 128;
bool RunsLong(const RequestSpec& spec);

// Whether it is soon done wherever it starts: it does not run long, and no
// prompt has more than kSmallPrompt tokens. KV slots are kept for such requests
// (SlotRules).
inline constexpr int kSmallPrompt = 64;
bool IsSmall(const RequestSpec& spec);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_ACTIVE_REQUEST_H_
