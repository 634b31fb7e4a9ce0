// RequestQueue: requests that wait for KV slots, bounded by sequences and by
// tokens, and an estimate of how long a newcomer waits.
//
// Fair between clients. The clients that wait stand in a line; the first one
// has the turn. A turn gives out what the client asked for first, whatever its
// size, and then more of it while the turn stays within the tokens of the
// largest part that any client could be given next; then the client goes to the
// end of the line (deficit round robin after Shreedhar and Varghese 1995, with
// the largest part as quantum and nothing carried over). Tokens are those asked
// for: prompt and max_new_tokens, also when the answer ends early.
//
// Bound: a client that comes to the line, new or back again, finds L - 1 others
// there, and each of them has at most one turn before it. So at most
// (L - 1) * M tokens of others are given out first, M being the tokens of the
// largest request that waits meanwhile. Names never seen before come behind it
// like everybody, so that new names cannot starve a client that was served.
// Among clients that always have something waiting, each round gives everybody
// more than half a quantum, if its parts are no larger than that, and at most
// one.
//
// Nothing is remembered of a client that does not wait: the line holds at most
// Options::max_sequences names, however many names there are.
//
// A client alone may fill the queue; when another one finds it full, the newest
// requests of the client with the most waiting give way. A refusal changes
// nothing.
//
// A request whose sequences must start together waits until all of them fit,
// and the others wait too, so that it cannot starve.
//
// Some of the KV slots may be kept from what runs long (Admission): PopShort
// then gives to those behind it that run short. What runs long has then no
// bound but that the short work before it ends; for what does not, it is twice
// the one above, since each of the others may have a turn by Pop and one by
// PopShort.
//
// Cost: Push O(sequences of the request + clients), Pop and PopShort
// O(clients), MakeRoom O(1) when there is room, RemoveIf one call of `drop` for
// each unit. Nothing blocks.
//
// Not for requests that run (the scheduler has them), and not a place to look
// for deadlines: RemoveIf is told what to drop.
//
// Thread-safety: not thread-safe; the scheduler guards it.
// Errors: RESOURCE_EXHAUSTED with a reason.

#ifndef ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_
#define ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
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

  // Makes sure that `spec` may wait now: the requests that had to give way and
  // are no longer in the queue (the caller owes each its RequestDone), or why
  // there is no place; then nobody gave way. A request larger than the token
  // limit is taken when nobody waits: it could never be taken otherwise.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> MakeRoom(
      const RequestSpec& spec);
  void Push(std::shared_ptr<ActiveRequest> request);

  // The next unit, when it needs at most `free_kv_slots`; nullopt also when
  // nobody waits.
  std::optional<QueuedUnit> Pop(int free_kv_slots);
  // The same among units that run short: the first client of the line whose
  // next unit does, which then goes to the end of the line; the turn of the
  // first one is not touched.
  std::optional<QueuedUnit> PopShort(int free_kv_slots);
  // Ends a turn that is over, as Pop of so many free KV slots does first. After
  // it FrontTogether speaks of the unit that such a Pop would give.
  void SettleTurn(int free_kv_slots);
  // Sequences that must start together of the unit whose turn it is: 0 when
  // nobody waits.
  int FrontTogether() const;
  // Whether nothing waits that runs short.
  bool NoShortWaits() const;
  // Takes out every unit that `drop` names, which is asked once for each.
  std::vector<QueuedUnit> RemoveIf(
      const std::function<bool(const ActiveRequest&)>& drop);

  bool empty() const { return sequences_ == 0; }
  int sequences() const { return sequences_; }
  int64_t tokens() const { return tokens_; }

  // A sequence has run for `service`, from its KV slot to its end, and
  // generated `tokens`.
  void RecordService(absl::Duration service, int tokens);
  // How long `newcomers` more sequences of `client` would wait for KV slots, by
  // Little's law over the sequences that ended lately; zero before the first
  // one has.
  absl::Duration PredictWait(const std::string& client, int newcomers,
                             int free_kv_slots, int kv_slots) const;
  // How long a sequence like those of `spec` would run: as long as those that
  // ended lately, or less when it may not generate as many tokens.
  absl::Duration PredictRun(const RequestSpec& spec) const;

  // In the order of the line, each client's as they came.
  void ForEach(const std::function<void(const QueuedUnit&)>& visit) const;
  // For tests: INTERNAL when the books do not agree.
  absl::Status CheckInvariants() const;

 private:
  // A client that waits: `units` is never empty.
  struct Client {
    std::string name;
    std::deque<QueuedUnit> units;
    int sequences = 0;  // Of all units.
  };
  using Line = std::list<Client>;

  absl::Status CheckRoom(int waiting, int64_t waiting_tokens, int sequences,
                         int64_t tokens) const;
  // Requests that would have to give way to `spec`; fails when that is not
  // enough. Changes nothing.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> ChooseDisplaced(
      const RequestSpec& spec) const;
  Line::iterator Find(const std::string& client);
  // Tokens of the largest part that some client would be given next.
  int64_t LargestPart(int free_kv_slots) const;
  void EndTurn();
  // The first `count` sequences of the client's first unit, which has begun
  // with them. Leaves the client in the line, also when it has none left.
  QueuedUnit Take(Client& client, int count);
  // Takes `client`, which has no units left, out of the line.
  Line::iterator Leave(Line::iterator client);
  void Forget(Client& client, const QueuedUnit& unit);

  Options options_;
  Line line_;                // The first one has the turn.
  int64_t turn_tokens_ = 0;  // Given out in this turn.
  int sequences_ = 0;
  int64_t tokens_ = 0;
  absl::Duration mean_service_ = absl::ZeroDuration();
  double mean_tokens_ = 0;
};

// Prompt and max_new_tokens of all sequences.
int64_t TokensOf(const RequestSpec& spec);

// Whether its sequences hold their KV slots for long: answers of more than
// kShortTokens tokens, and sweeps, which start a cell wherever one has ended.
inline constexpr int kShortTokens = 128;
bool RunsLong(const RequestSpec& spec);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_
