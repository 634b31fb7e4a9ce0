// RequestQueue: requests that wait for a slot of the KV cache, bounded by
// sequences and by tokens, and an estimate of how long a newcomer waits.
//
// Fair between clients: each client's requests wait in the order in which they
// came, and the next one comes from the client that has been served the fewest
// tokens since it last began to wait (start-time fair queueing; Goyal, Vin and
// Cheng 1996). A client alone may fill the queue; when another one finds it
// full, the newest requests of the client with the most waiting give way.
//
// A request whose sequences must start together waits until all of them fit,
// and the others wait too, so that it cannot starve.
//
// Thread-safety: not thread-safe; the scheduler guards it.
// Errors: RESOURCE_EXHAUSTED with a reason and when to try again.

#ifndef ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_
#define ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
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

class RequestQueue {
 public:
  struct Options {
    int max_sequences = 256;
    int64_t max_tokens = 262144;
  };

  explicit RequestQueue(const Options& options) : options_(options) {}

  // Makes sure that `spec` may wait now: the requests that had to give way, or
  // why there is no place. A request larger than the token limit is taken when
  // nobody waits: it could never be taken otherwise.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> MakeRoom(
      const RequestSpec& spec);
  void Push(std::shared_ptr<ActiveRequest> request);

  // The next unit, when it needs at most `free_slots`.
  std::optional<QueuedUnit> Pop(int free_slots);
  // Takes out every unit that `drop` names.
  std::vector<QueuedUnit> RemoveIf(
      const std::function<bool(const ActiveRequest&)>& drop);

  bool empty() const { return sequences_ == 0; }
  int sequences() const { return sequences_; }
  int64_t tokens() const { return tokens_; }

  // A sequence has run for `service`, from its slot to its end, and generated
  // `tokens`.
  void RecordService(absl::Duration service, int tokens);
  // How long `newcomers` more sequences of `client` would wait for slots, by
  // Little's law over the sequences that ended lately; zero before the first
  // one has.
  absl::Duration PredictWait(const std::string& client, int newcomers,
                             int free_slots, int slots) const;
  // How long a sequence like those of `spec` would run: as long as those that
  // ended lately, or less when it may not generate as many tokens.
  absl::Duration PredictRun(const RequestSpec& spec) const;

 private:
  struct Client {
    std::deque<QueuedUnit> units;
    int sequences = 0;
    double served = 0;  // Virtual time at which its last unit is paid for.
  };

  absl::Status CheckRoom(int sequences, int64_t tokens) const;
  // The newest waiting request of `client` that has not started; null: none.
  static std::shared_ptr<ActiveRequest> Newest(const Client& client);
  Client* Next();
  void Forget(Client& client, const QueuedUnit& unit);

  Options options_;
  std::map<std::string, Client> clients_;  // Those that wait or have to pay.
  double now_ = 0;                         // Virtual time, in tokens.
  int sequences_ = 0;
  int64_t tokens_ = 0;
  absl::Duration mean_service_ = absl::ZeroDuration();
  double mean_tokens_ = 0;
};

// Prompt and max_new_tokens of all sequences.
int64_t TokensOf(const RequestSpec& spec);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_
