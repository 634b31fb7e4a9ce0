// RequestQueue: requests that wait for a slot of the KV cache, bounded by
// sequences and by tokens, and an estimate of how long a newcomer waits.
//
// First in, first out; a request whose sequences must start together waits
// until all of them fit, and those behind it wait too, so that it cannot
// starve.
//
// Thread-safety: not thread-safe; the scheduler guards it.
// Errors: RESOURCE_EXHAUSTED with a reason and when to try again.

#ifndef ALIGNSAE_SERVER_SCHEDULER_REQUEST_QUEUE_H_
#define ALIGNSAE_SERVER_SCHEDULER_REQUEST_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/scheduler/request.h"

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

class RequestQueue {
 public:
  struct Options {
    int max_sequences = 256;
    int64_t max_tokens = 262144;
  };

  explicit RequestQueue(const Options& options) : options_(options) {}

  // Whether `spec` may wait now. A request larger than the token limit is taken
  // when nobody waits: it could never be taken otherwise.
  absl::Status CheckRoom(const RequestSpec& spec) const;
  void Push(std::shared_ptr<ActiveRequest> request);

  // The next unit, when it needs at most `free_slots`.
  std::optional<QueuedUnit> Pop(int free_slots);
  // Takes out every unit that `drop` names.
  std::vector<QueuedUnit> RemoveIf(
      const std::function<bool(const ActiveRequest&)>& drop);

  bool empty() const { return units_.empty(); }
  int sequences() const { return sequences_; }
  int64_t tokens() const { return tokens_; }

  // A sequence has run for `service`, from its slot to its end.
  void RecordService(absl::Duration service);
  // How long `newcomers` more sequences would wait for slots, by Little's law
  // over the sequences that ended lately; zero before the first one has.
  absl::Duration PredictWait(int newcomers, int free_slots, int slots) const;

 private:
  void Forget(const QueuedUnit& unit);

  Options options_;
  std::deque<QueuedUnit> units_;
  int sequences_ = 0;
  int64_t tokens_ = 0;
  absl::Duration mean_service_ = absl::ZeroDuration();
};

// Prompt and max_new_tokens of all sequences.
int64_t TokensOf(const RequestSpec& spec);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_SCHEDULER_REQUEST_QUEUE_H_
