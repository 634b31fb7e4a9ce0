// ClientLine: the clients that wait, and whose turn it is.
//
// Two levels, because a client's name is its own choice and its origin is not:
// origins stand in a line, and so do the clients of each. The first client of
// the first origin has the turn. A client's turn gives out what it asked for
// first, whatever its size, and then more of it while the turn stays within the
// quantum, the tokens of the largest part that any client could be given next;
// then it goes to the end of its origin's line. An origin's turn is measured by
// the same quantum over its clients, and a client's turn that is under way then
// goes on in the next one of its origin (deficit round robin after Shreedhar
// and Varghese 1995, nothing else carried over).
//
// Bound, M being the largest quantum meanwhile: a client that comes finds C - 1
// others of its origin there and O - 1 other origins. Each of the C - 1 has one
// turn before it, at most M tokens. Two turns of its origin that follow each
// other give more than M, so that there are at most 2C - 1 of them, each with
// at most M tokens of each other origin before it:
//
//   (C - 1) * M + (O - 1) * (2C - 1) * M
//
// New names come behind it like everybody, and new origins too.
//
// Nothing is remembered of a client that does not wait.
//
// Cost: all O(clients). Nothing blocks.
// Thread-safety: not thread-safe; the queue owns it.

#ifndef ALIGNSAE_MODEL_SCHEDULER_CLIENT_LINE_H_
#define ALIGNSAE_MODEL_SCHEDULER_CLIENT_LINE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <string>

#include "absl/status/status.h"
#include "model/scheduler/active_request.h"

namespace alignsae {

// A client that waits: `units` is not empty between two calls of the queue.
struct WaitingClient {
  std::string name;
  std::deque<QueuedUnit> units;
  int sequences = 0;  // Of all units.
};

struct WaitingOrigin {
  std::string name;
  std::list<WaitingClient> clients;
  int64_t turn_tokens = 0;  // Given out in the turn of the first client.
};

class ClientLine {
 public:
  // This client, at the end of the line if it does not wait.
  WaitingClient& Place(const std::string& origin, const std::string& name);

  bool empty() const { return origins_.empty(); }
  const std::list<WaitingOrigin>& origins() const { return origins_; }
  std::list<WaitingOrigin>& origins() { return origins_; }
  int clients() const;

  // Whose turn it is. With !empty(), as the two below.
  WaitingClient& First() { return origins_.front().clients.front(); }
  const WaitingClient& First() const {
    return origins_.front().clients.front();
  }
  // Ends turns that are over when so much of the KV cache is free.
  void Settle(const KvAmount& free);
  // Ends the turn of the first client and of its origin.
  void PassTurn();

  // The first client was given `tokens`.
  void GaveFirst(int64_t tokens);
  // The first client in the line whose first unit `wanted` says yes to; null:
  // none. Once it was given it, out of turn, GaveOther: it goes to the end of
  // its line, and its origin too.
  WaitingClient* Find(const std::function<bool(const QueuedUnit&)>& wanted);
  void GaveOther(const WaitingClient& client);

  // Takes those out that have no units.
  void RemoveEmpty();

  // For tests: INTERNAL when somebody stands in it twice or waits for nothing.
  absl::Status CheckInvariants() const;

 private:
  using Origins = std::list<WaitingOrigin>;

  int64_t LargestPart(const KvAmount& free) const;
  // Ends the first client's turn when it is over.
  static void SettleClient(WaitingOrigin& origin, int64_t quantum,
                           const KvAmount& free);
  static void NextClient(WaitingOrigin& origin);
  void NextOrigin();

  Origins origins_;          // None is empty. The first one has the turn.
  int64_t turn_tokens_ = 0;  // Given out in the first origin's turn.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_CLIENT_LINE_H_
