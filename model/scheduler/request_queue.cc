#include "model/scheduler/request_queue.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/dcheck.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Weight of the newest sequence in the mean: the last ten or so count.
constexpr double kNewest = 0.1;

using Requests = std::set<std::shared_ptr<ActiveRequest>>;

// The first `count` sequences of `unit`, which keeps the others.
QueuedUnit Split(QueuedUnit& unit, int count) {
  QueuedUnit part;
  part.request = unit.request;
  part.sequences.assign(unit.sequences.begin(), unit.sequences.begin() + count);
  unit.sequences.erase(unit.sequences.begin(), unit.sequences.begin() + count);
  for (int i : part.sequences) {
    part.tokens += TokensOf(unit.request->spec.sequences[i]);
  }
  unit.tokens -= part.tokens;
  return part;
}

// The newest request of `client` that has not begun and is not `chosen`; with
// `large` none that is small. Null: none.
std::shared_ptr<ActiveRequest> Newest(const WaitingClient& client,
                                      const Requests& chosen, bool large) {
  for (auto unit = client.units.rbegin(); unit != client.units.rend(); ++unit) {
    const std::shared_ptr<ActiveRequest>& request = unit->request;
    if (request->started || chosen.count(request) > 0) continue;
    if (!large || !IsSmall(request->spec)) return request;
  }
  return nullptr;
}

// How many sequences of `client` wait, but for those that are chosen.
int Left(const WaitingClient& client, const Requests& chosen) {
  if (chosen.empty()) return client.sequences;
  int count = 0;
  for (const QueuedUnit& unit : client.units) {
    if (chosen.count(unit.request) == 0) {
      count += static_cast<int>(unit.sequences.size());
    }
  }
  return count;
}

int Left(const WaitingOrigin& origin, const Requests& chosen) {
  int count = 0;
  for (const WaitingClient& client : origin.clients) {
    count += Left(client, chosen);
  }
  return count;
}

// The one of `all` that has the most left and something to give.
template <typename All, typename CanGive>
auto Most(const All& all, const Requests& chosen, const CanGive& can_give) {
  const typename All::value_type* most = nullptr;
  for (const auto& one : all) {
    if (!can_give(one)) continue;
    if (most == nullptr || Left(one, chosen) > Left(*most, chosen)) most = &one;
  }
  return most;
}

}  // namespace

RequestQueue::Load RequestQueue::LoadOf(const RequestSpec& spec) {
  const int count = static_cast<int>(spec.sequences.size());
  return {count, TokensOf(spec), IsSmall(spec) ? 0 : count};
}

absl::Status RequestQueue::CheckRoom(const Load& waiting,
                                     const Load& added) const {
  const auto full = [](const auto&... words) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(words...)),
                      kReasonQueueFull);
  };
  if (waiting.sequences + added.sequences > options_.max_sequences) {
    return full("queue: must hold at most ", options_.max_sequences,
                " waiting sequences, got ", waiting.sequences, " and ",
                added.sequences, " more");
  }
  if (added.large > 0 && waiting.large > 0 &&
      waiting.large + added.large > options_.max_large) {
    return full("queue: must hold at most ", options_.max_large,
                " waiting sequences of sweeps, of answers of more than ",
                kShortTokens, " tokens and of prompts of more than ",
                kSmallPrompt, ", got ", waiting.large, " and ", added.large,
                " more");
  }
  if (waiting.tokens > 0 &&
      waiting.tokens + added.tokens > options_.max_tokens) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          "queue: must hold at most ", options_.max_tokens,
                          " waiting tokens, got ", waiting.tokens, " and ",
                          added.tokens, " more")),
                      kReasonTokenBudget);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>>
RequestQueue::ChooseDisplaced(const RequestSpec& spec) const {
  const Load added = LoadOf(spec);
  const absl::Status full = CheckRoom(waiting_, added);
  // Where the places of what is not small are short, only such gives way.
  const bool large = added.large > 0 && waiting_.large > 0 &&
                     waiting_.large + added.large > options_.max_large;
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  Requests chosen;
  const auto client_gives = [&](const WaitingClient& client) {
    return Newest(client, chosen, large) != nullptr;
  };
  const auto origin_gives = [&](const WaitingOrigin& origin) {
    return std::any_of(origin.clients.begin(), origin.clients.end(),
                       client_gives);
  };
  Load left = waiting_;
  while (!CheckRoom(left, added).ok()) {
    const WaitingOrigin* origin = Most(line_.origins(), chosen, origin_gives);
    if (origin == nullptr) return full;
    const WaitingClient* client = Most(origin->clients, chosen, client_gives);
    std::shared_ptr<ActiveRequest> newest = Newest(*client, chosen, large);
    // It keeps at least as many as the newcomer then has, as an origin or, of
    // the same one, as a client: never so when that is its own.
    int own = 0;
    for (const WaitingOrigin& other : line_.origins()) {
      if (other.name != spec.origin) continue;
      if (&other != origin) own = Left(other, chosen);
      for (const WaitingClient& name : other.clients) {
        if (&other == origin && name.name == spec.client) {
          own = Left(name, chosen);
        }
      }
    }
    const int has = origin->name == spec.origin ? Left(*client, chosen)
                                                : Left(*origin, chosen);
    const Load given = LoadOf(newest->spec);
    if (has - given.sequences < own + added.sequences) return full;
    left.sequences -= given.sequences;
    left.tokens -= given.tokens;
    left.large -= given.large;
    chosen.insert(newest);
    displaced.push_back(std::move(newest));
  }
  return displaced;
}

absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>>
RequestQueue::MakeRoom(const RequestSpec& spec) {
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  if (CheckRoom(waiting_, LoadOf(spec)).ok()) return displaced;
  ALIGNSAE_ASSIGN_OR_RETURN(displaced, ChooseDisplaced(spec));
  RemoveIf([&displaced](const ActiveRequest& request) {
    return std::any_of(
        displaced.begin(), displaced.end(),
        [&request](const auto& other) { return other.get() == &request; });
  });
  return displaced;
}

void RequestQueue::Count(WaitingClient& client, const QueuedUnit& unit,
                         int sign) {
  const int count = sign * static_cast<int>(unit.sequences.size());
  client.sequences += count;
  waiting_.sequences += count;
  waiting_.tokens += sign * unit.tokens;
  if (!IsSmall(unit.request->spec)) waiting_.large += count;
}

void RequestQueue::Push(std::shared_ptr<ActiveRequest> request) {
  ALIGNSAE_DCHECK(!request->spec.sequences.empty());
  const RequestSpec& spec = request->spec;
  WaitingClient& client = line_.Place(spec.origin, spec.client);
  const auto add = [&](std::vector<int> members) {
    QueuedUnit unit;
    unit.request = request;
    for (int i : members) unit.tokens += TokensOf(spec.sequences[i]);
    unit.sequences = std::move(members);
    Count(client, unit, 1);
    client.units.push_back(std::move(unit));
  };
  const int count = static_cast<int>(spec.sequences.size());
  if (spec.grouping != Grouping::kSeparate) {
    std::vector<int> all(count);
    std::iota(all.begin(), all.end(), 0);
    add(std::move(all));
    return;
  }
  for (int i = 0; i < count; ++i) add({i});
}

void RequestQueue::SettleTurn(const KvAmount& free) {
  if (!line_.empty() && free.slots > 0) line_.Settle(free);
}

const QueuedUnit* RequestQueue::Front() const {
  return line_.empty() ? nullptr : &line_.First().units.front();
}

std::optional<QueuedUnit> RequestQueue::PopFront(const KvAmount& room,
                                                 const SavedFn& saved) {
  if (line_.empty()) return std::nullopt;
  WaitingClient& client = line_.First();
  const UnitPart part = PartOf(client.units.front(), room);
  if (!part.kv.FitsInto(room)) return std::nullopt;
  QueuedUnit unit = Take(client, part.sequences);
  line_.GaveFirst(unit.tokens - (saved == nullptr ? 0 : saved(unit)));
  return unit;
}

std::optional<QueuedUnit> RequestQueue::Pop(const KvAmount& free) {
  SettleTurn(free);
  return PopFront(free);
}

QueuedUnit RequestQueue::Take(WaitingClient& client, int count) {
  QueuedUnit& front = client.units.front();
  QueuedUnit unit;
  if (count == static_cast<int>(front.sequences.size())) {
    unit = std::move(front);
    client.units.pop_front();
  } else {
    unit = Split(front, count);
  }
  Count(client, unit, -1);
  unit.request->started = true;
  return unit;
}

std::optional<QueuedUnit> RequestQueue::PopSmall(
    const KvAmount& room, const std::function<bool(const QueuedUnit&)>& may) {
  WaitingClient* const client = line_.Find([&may](const QueuedUnit& unit) {
    return IsSmall(unit.request->spec) && may(unit);
  });
  if (client == nullptr) return std::nullopt;
  const UnitPart part = PartOf(client->units.front(), room);
  if (!part.kv.FitsInto(room)) return std::nullopt;
  QueuedUnit unit = Take(*client, part.sequences);
  line_.GaveOther(*client);
  return unit;
}

bool RequestQueue::NoSmallWaits() const {
  return waiting_.sequences == waiting_.large;
}

std::vector<QueuedUnit> RequestQueue::RemoveIf(
    const std::function<bool(const ActiveRequest&)>& drop) {
  std::vector<QueuedUnit> removed;
  for (WaitingOrigin& origin : line_.origins()) {
    for (WaitingClient& client : origin.clients) {
      std::deque<QueuedUnit> kept;
      for (QueuedUnit& unit : client.units) {
        if (!drop(*unit.request)) {
          kept.push_back(std::move(unit));
          continue;
        }
        Count(client, unit, -1);
        removed.push_back(std::move(unit));
      }
      client.units = std::move(kept);
    }
  }
  line_.RemoveEmpty();
  return removed;
}

void RequestQueue::RecordService(const RequestSpec& spec,
                                 absl::Duration service, int tokens) {
  Service& mean = IsSmall(spec) ? of_small_ : of_large_;
  const double count = tokens;
  if (mean.time == absl::ZeroDuration()) {
    mean = {service, count};
    return;
  }
  mean.time = (1 - kNewest) * mean.time + kNewest * service;
  mean.tokens = (1 - kNewest) * mean.tokens + kNewest * count;
}

const RequestQueue::Service& RequestQueue::ServiceOf(
    const RequestSpec& spec) const {
  const bool known = of_large_.time > absl::ZeroDuration();
  return IsSmall(spec) || !known ? of_small_ : of_large_;
}

absl::Duration RequestQueue::PredictWait(const RequestSpec& spec,
                                         const KvAmount& free,
                                         const KvAmount& all) const {
  const int newcomers = static_cast<int>(spec.sequences.size());
  int own = newcomers;
  int origins = 1;  // That take turns, its own included.
  int clients = 1;  // Of its own.
  for (const WaitingOrigin& origin : line_.origins()) {
    if (origin.name != spec.origin) {
      ++origins;
      continue;
    }
    for (const WaitingClient& client : origin.clients) {
      if (client.name == spec.client) {
        own += client.sequences;
      } else {
        ++clients;
      }
    }
  }
  // At most everybody is ahead; with turns, no more than its own share.
  const int64_t share = int64_t{own} * clients * origins;
  const auto ahead = static_cast<int>(
      std::min<int64_t>(waiting_.sequences + newcomers, share));
  // As large as those that wait and it are on average.
  const double size = static_cast<double>(waiting_.tokens + TokensOf(spec)) /
                      (waiting_.sequences + newcomers);
  const auto rounds_of = [](double wanted, double there) {
    return wanted / std::max(1.0, there);
  };
  const double rounds =
      std::max(rounds_of(ahead - free.slots, all.slots),
               rounds_of(ahead * size - static_cast<double>(free.tokens),
                         static_cast<double>(all.tokens)));
  return rounds <= 0 ? absl::ZeroDuration() : ServiceOf(spec).time * rounds;
}

absl::Duration RequestQueue::PredictRun(const RequestSpec& spec) const {
  const Service& mean = ServiceOf(spec);
  if (mean.tokens <= 0) return absl::ZeroDuration();
  int most = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    most = std::max(most, sequence.max_new_tokens);
  }
  return mean.time * std::min(1.0, most / mean.tokens);
}

void RequestQueue::ForEach(
    const std::function<void(const QueuedUnit&)>& visit) const {
  for (const WaitingOrigin& origin : line_.origins()) {
    for (const WaitingClient& client : origin.clients) {
      for (const QueuedUnit& unit : client.units) visit(unit);
    }
  }
}

absl::Status RequestQueue::AddChecked(const WaitingClient& client,
                                      SeenSequences& seen, Load& load) {
  int own = 0;
  for (const QueuedUnit& unit : client.units) {
    int64_t tokens = 0;
    for (int i : unit.sequences) {
      tokens += TokensOf(unit.request->spec.sequences[i]);
      if (!seen.emplace(unit.request.get(), i).second) {
        return absl::InternalError("queue: a sequence waits twice");
      }
    }
    if (unit.sequences.empty() || tokens != unit.tokens) {
      return absl::InternalError("queue: a unit's tokens are not its own");
    }
    const int count = static_cast<int>(unit.sequences.size());
    load.sequences += count;
    load.tokens += tokens;
    if (!IsSmall(unit.request->spec)) load.large += count;
    own += count;
  }
  if (own == client.sequences) return absl::OkStatus();
  return absl::InternalError("queue: a client's count is not its own");
}

absl::Status RequestQueue::CheckInvariants() const {
  ALIGNSAE_RETURN_IF_ERROR(line_.CheckInvariants());
  Load load;
  SeenSequences seen;
  for (const WaitingOrigin& origin : line_.origins()) {
    for (const WaitingClient& client : origin.clients) {
      ALIGNSAE_RETURN_IF_ERROR(AddChecked(client, seen, load));
    }
  }
  if (load.sequences != waiting_.sequences || load.tokens != waiting_.tokens ||
      load.large != waiting_.large) {
    return absl::InternalError(
        absl::StrCat("queue: counts ", waiting_.sequences, " sequences and ",
                     waiting_.tokens, " tokens, holds ", load.sequences,
                     " and ", load.tokens));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
