// RequestQueue: requests that wait for the KV cache, bounded by sequences and
// by tokens, and an estimate of how long a newcomer waits.
//
// Fair between origins, and between the clients of one: whose turn it is and
// what that means is client_line.h's. Tokens are those asked for: prompt and
// max_new_tokens, also when the answer ends early; of what is given out, less
// the prompt tokens that the prefix cache saves. The line holds at most
// Options::max_sequences names, however many names there are.
//
// A client alone may fill the queue; when another one finds it full, the newest
// requests of the one with the most waiting give way: of the origin with the
// most, and there of its client with the most. What has begun gives no way, so
// that what is not small (IsSmall) may have only Options::max_large of the
// places: the cells of sweeps would hold them all. A refusal changes nothing.
//
// A request waits until all of it fits that must start together, a long
// sequence until there are tokens for it, and the others wait too, so that it
// cannot starve.
//
// A part of the KV cache may be kept for small requests (Admission): PopSmall
// then gives to those behind the one that may not have it. What is not small
// has then no bound in tokens, but those before it end (Admission); for what is
// small, it is twice client_line.h's, since each of the others may have a turn
// by Pop and one by PopSmall.
//
// Cost: Push O(sequences of the request + clients), Pop and PopSmall
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

#include <climits>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/scheduler/active_request.h"
#include "model/scheduler/client_line.h"

namespace alignsae {

class RequestQueue {
 public:
  struct Options {
    int max_sequences = 256;
    int64_t max_tokens = 262144;
    // Sequences of requests that are not small; one such request is taken in
    // any case when no other waits.
    int max_large = INT_MAX;
  };

  explicit RequestQueue(const Options& options) : options_(options) {}

  // Makes sure that `spec` may wait now: the requests that had to give way and
  // are no longer in the queue (the caller owes each its RequestDone), or why
  // there is no place; then nobody gave way. A request larger than the token
  // limit is taken when nobody waits: it could never be taken otherwise.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> MakeRoom(
      const RequestSpec& spec);
  void Push(std::shared_ptr<ActiveRequest> request);

  // Ends a turn that is over when so much of the KV cache is free.
  void SettleTurn(const KvAmount& free);
  // The unit whose turn it is; null when nobody waits.
  const QueuedUnit* Front() const;
  // The turn of Front goes to the next one, though nothing was given. With
  // !empty().
  void PassTurn() { line_.PassTurn(); }
  // Front, or as much of it as fits; nullopt when it needs more than
  // `room`, also when nobody waits. The turn counts what is not `saved`.
  std::optional<QueuedUnit> PopFront(const KvAmount& room,
                                     const SavedFn& saved = nullptr);
  // SettleTurn and PopFront.
  std::optional<QueuedUnit> Pop(const KvAmount& free);
  // The same among small requests that `may` says yes to: of the first client
  // of the line whose next unit is one, which then goes to the end.
  std::optional<QueuedUnit> PopSmall(
      const KvAmount& room, const std::function<bool(const QueuedUnit&)>& may);
  // Whether nothing small waits.
  bool NoSmallWaits() const;
  // Takes out every unit that `drop` names, which is asked once for each.
  std::vector<QueuedUnit> RemoveIf(
      const std::function<bool(const ActiveRequest&)>& drop);

  bool empty() const { return waiting_.sequences == 0; }
  int sequences() const { return waiting_.sequences; }
  int64_t tokens() const { return waiting_.tokens; }
  int clients() const { return line_.clients(); }  // That wait.
  int origins() const { return static_cast<int>(line_.origins().size()); }

  // A sequence of `spec` has run for `service`, from its KV slot to its end,
  // and generated `tokens`. What is small (IsSmall) and what is not are told
  // apart: the one has slots and time of its own, and says nothing of the
  // other.
  void RecordService(const RequestSpec& spec, absl::Duration service,
                     int tokens);
  // How long `spec` would wait for its place among `all` of the KV cache, by
  // Little's law over the sequences that ended lately, in the unit that is
  // scarcer; zero before the first one has ended.
  absl::Duration PredictWait(const RequestSpec& spec, const KvAmount& free,
                             const KvAmount& all) const;
  // How long a sequence like those of `spec` would run: as long as those that
  // ended lately, or less when it may not generate as many tokens.
  absl::Duration PredictRun(const RequestSpec& spec) const;

  // In the order of the line, each client's as they came.
  void ForEach(const std::function<void(const QueuedUnit&)>& visit) const;
  // For tests: INTERNAL when the books do not agree.
  absl::Status CheckInvariants() const;

 private:
  // What waits, or would.
  struct Load {
    int sequences = 0;
    int64_t tokens = 0;
    int large = 0;  // Sequences of requests that are not small.
  };
  static Load LoadOf(const RequestSpec& spec);
  // Means over the sequences that ended lately.
  struct Service {
    absl::Duration time = absl::ZeroDuration();
    double tokens = 0;
  };
  // What is known of such as `spec`. What is not small is taken for small until
  // one of it has ended.
  const Service& ServiceOf(const RequestSpec& spec) const;

  using SeenSequences = std::set<std::pair<const ActiveRequest*, int>>;
  // Adds what a client has waiting to `load`, and its sequences to `seen`;
  // INTERNAL when its own books do not agree.
  static absl::Status AddChecked(const WaitingClient& client,
                                 SeenSequences& seen, Load& load);

  absl::Status CheckRoom(const Load& waiting, const Load& added) const;
  // Requests that would have to give way to `spec`; fails when that is not
  // enough. Changes nothing.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> ChooseDisplaced(
      const RequestSpec& spec) const;
  // The first `count` sequences of the client's first unit, which has begun
  // with them. Leaves the client in the line, also when it has none left.
  QueuedUnit Take(WaitingClient& client, int count);
  void Count(WaitingClient& client, const QueuedUnit& unit, int sign);

  Options options_;
  ClientLine line_;
  Load waiting_;
  Service of_small_;
  Service of_large_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_REQUEST_QUEUE_H_
