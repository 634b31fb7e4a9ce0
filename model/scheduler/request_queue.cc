#include "model/scheduler/request_queue.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/dcheck.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Weight of the newest sequence in the mean: the last ten or so count.
constexpr double kNewest = 0.1;

int64_t TokensOf(const SequenceSpec& sequence) {
  return static_cast<int64_t>(sequence.prompt.size()) + sequence.max_new_tokens;
}

// How many sequences of `unit` would start if it were next.
int PartSize(const QueuedUnit& unit, int free_kv_slots) {
  const int count = static_cast<int>(unit.sequences.size());
  return unit.request->spec.grouping == Grouping::kAsManyAsFit
             ? std::min(count, free_kv_slots)
             : count;
}

int64_t PartTokens(const QueuedUnit& unit, int free_kv_slots) {
  int64_t tokens = 0;
  for (int i = 0; i < PartSize(unit, free_kv_slots); ++i) {
    tokens += TokensOf(unit.request->spec.sequences[unit.sequences[i]]);
  }
  return tokens;
}

// The newest request among `units` that is not in `chosen`; null: none.
std::shared_ptr<ActiveRequest> Newest(
    const std::deque<QueuedUnit>& units,
    const std::set<std::shared_ptr<ActiveRequest>>& chosen) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    if (chosen.count(unit->request) == 0) {
      return unit->request;
    }
  }
  return nullptr;
}

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

}  // namespace

int64_t TokensOf(const RequestSpec& spec) {
  int64_t tokens = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    tokens += TokensOf(sequence);
  }
  return tokens;
}

bool RunsLong(const RequestSpec& spec) {
  return spec.grouping == Grouping::kAsManyAsFit ||
         std::any_of(spec.sequences.begin(), spec.sequences.end(),
                     [](const SequenceSpec& sequence) {
                       return sequence.max_new_tokens > kShortTokens;
                     });
}

absl::Status RequestQueue::CheckRoom(int waiting, int64_t waiting_tokens,
                                     int sequences, int64_t tokens) const {
  if (waiting + sequences > options_.max_sequences) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "queue: must hold at most ", options_.max_sequences,
            " waiting sequences, got ", waiting, " and ", sequences, " more")),
        kReasonQueueFull);
  }
  if (waiting_tokens > 0 && waiting_tokens + tokens > options_.max_tokens) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "queue: must hold at most ", options_.max_tokens,
            " waiting tokens, got ", waiting_tokens, " and ", tokens, " more")),
        kReasonTokenBudget);
  }
  return absl::OkStatus();
}

RequestQueue::Line::iterator RequestQueue::Find(const std::string& client) {
  return std::find_if(line_.begin(), line_.end(), [&](const Client& other) {
    return other.name == client;
  });
}

absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>>
RequestQueue::ChooseDisplaced(const RequestSpec& spec) const {
  const int added = static_cast<int>(spec.sequences.size());
  const int64_t tokens = TokensOf(spec);
  const absl::Status full = CheckRoom(sequences_, tokens_, added, tokens);
  struct Share {
    const Client* client;
    int sequences;  // Those that are not chosen.
  };
  std::vector<Share> shares;
  int own = 0;
  for (const Client& client : line_) {
    shares.push_back({&client, client.sequences});
    if (client.name == spec.client) own = client.sequences;
  }
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  std::set<std::shared_ptr<ActiveRequest>> chosen;
  int waiting = sequences_;
  int64_t waiting_tokens = tokens_;
  while (!CheckRoom(waiting, waiting_tokens, added, tokens).ok()) {
    const auto most = std::max_element(shares.begin(), shares.end(),
                                       [](const Share& a, const Share& b) {
                                         return a.sequences < b.sequences;
                                       });
    if (most == shares.end()) return full;
    std::shared_ptr<ActiveRequest> newest = Newest(most->client->units, chosen);
    if (newest == nullptr) return full;
    const int given = static_cast<int>(newest->spec.sequences.size());
    // It keeps at least as many as the newcomer's client then has: never so
    // when that is its own, or when it has begun.
    if (most->sequences - given < own + added) return full;
    most->sequences -= given;
    waiting -= given;
    waiting_tokens -= TokensOf(newest->spec);
    chosen.insert(newest);
    displaced.push_back(std::move(newest));
  }
  return displaced;
}

absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>>
RequestQueue::MakeRoom(const RequestSpec& spec) {
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  const absl::Status room =
      CheckRoom(sequences_, tokens_, static_cast<int>(spec.sequences.size()),
                TokensOf(spec));
  if (room.ok()) return displaced;
  ALIGNSAE_ASSIGN_OR_RETURN(displaced, ChooseDisplaced(spec));
  RemoveIf([&displaced](const ActiveRequest& request) {
    return std::any_of(
        displaced.begin(), displaced.end(),
        [&request](const auto& other) { return other.get() == &request; });
  });
  return displaced;
}

void RequestQueue::Push(std::shared_ptr<ActiveRequest> request) {
  ALIGNSAE_DCHECK(!request->spec.sequences.empty());
  auto place = Find(request->spec.client);
  if (place == line_.end()) {
    place = line_.insert(line_.end(), Client{request->spec.client, {}, 0});
  }
  Client& client = *place;
  const std::vector<SequenceSpec>& sequences = request->spec.sequences;
  const auto add = [&](std::vector<int> members) {
    QueuedUnit unit;
    unit.request = request;
    for (int i : members) unit.tokens += TokensOf(request->spec.sequences[i]);
    unit.sequences = std::move(members);
    const int count = static_cast<int>(unit.sequences.size());
    sequences_ += count;
    client.sequences += count;
    tokens_ += unit.tokens;
    client.units.push_back(std::move(unit));
  };
  if (request->spec.grouping != Grouping::kSeparate) {
    std::vector<int> all(sequences.size());
    std::iota(all.begin(), all.end(), 0);
    add(std::move(all));
    return;
  }
  for (int i = 0; i < static_cast<int>(sequences.size()); ++i) add({i});
}

void RequestQueue::Forget(Client& client, const QueuedUnit& unit) {
  const int count = static_cast<int>(unit.sequences.size());
  sequences_ -= count;
  client.sequences -= count;
  tokens_ -= unit.tokens;
}

int64_t RequestQueue::LargestPart(int free_kv_slots) const {
  int64_t largest = 0;
  for (const Client& client : line_) {
    largest =
        std::max(largest, PartTokens(client.units.front(), free_kv_slots));
  }
  return largest;
}

void RequestQueue::EndTurn() {
  turn_tokens_ = 0;
  line_.splice(line_.end(), line_, line_.begin());
}

RequestQueue::Line::iterator RequestQueue::Leave(Line::iterator client) {
  ALIGNSAE_DCHECK(client->units.empty() && client->sequences == 0);
  if (client == line_.begin()) turn_tokens_ = 0;
  return line_.erase(client);
}

void RequestQueue::SettleTurn(int free_kv_slots) {
  if (line_.empty() || free_kv_slots < 1) return;
  const int64_t next = PartTokens(line_.front().units.front(), free_kv_slots);
  if (turn_tokens_ + next > LargestPart(free_kv_slots)) EndTurn();
}

std::optional<QueuedUnit> RequestQueue::Pop(int free_kv_slots) {
  if (line_.empty() || free_kv_slots < 1) return std::nullopt;
  SettleTurn(free_kv_slots);
  Client& client = line_.front();
  const int count = PartSize(client.units.front(), free_kv_slots);
  if (count > free_kv_slots) return std::nullopt;
  QueuedUnit unit = Take(client, count);
  turn_tokens_ += unit.tokens;
  if (client.units.empty()) Leave(line_.begin());
  return unit;
}

QueuedUnit RequestQueue::Take(Client& client, int count) {
  QueuedUnit& front = client.units.front();
  QueuedUnit unit;
  if (count == static_cast<int>(front.sequences.size())) {
    unit = std::move(front);
    client.units.pop_front();
  } else {
    unit = Split(front, count);
  }
  Forget(client, unit);
  unit.request->started = true;
  return unit;
}

std::optional<QueuedUnit> RequestQueue::PopShort(int free_kv_slots) {
  const auto client =
      std::find_if(line_.begin(), line_.end(), [](const Client& other) {
        return !RunsLong(other.units.front().request->spec);
      });
  if (client == line_.end()) return std::nullopt;
  const int count = PartSize(client->units.front(), free_kv_slots);
  if (count > free_kv_slots) return std::nullopt;
  QueuedUnit unit = Take(*client, count);
  if (client->units.empty()) {
    Leave(client);
  } else if (client != line_.begin()) {
    line_.splice(line_.end(), line_, client);
  } else {
    EndTurn();
  }
  return unit;
}

int RequestQueue::FrontTogether() const {
  if (line_.empty()) return 0;
  const QueuedUnit& unit = line_.front().units.front();
  return unit.request->spec.grouping == Grouping::kAsManyAsFit
             ? 1
             : static_cast<int>(unit.sequences.size());
}

bool RequestQueue::NoShortWaits() const {
  return std::all_of(line_.begin(), line_.end(), [](const Client& client) {
    return std::all_of(
        client.units.begin(), client.units.end(),
        [](const QueuedUnit& unit) { return RunsLong(unit.request->spec); });
  });
}

std::vector<QueuedUnit> RequestQueue::RemoveIf(
    const std::function<bool(const ActiveRequest&)>& drop) {
  std::vector<QueuedUnit> removed;
  for (auto client = line_.begin(); client != line_.end();) {
    std::deque<QueuedUnit>& units = client->units;
    auto kept = units.begin();
    for (auto unit = units.begin(); unit != units.end(); ++unit) {
      if (drop(*unit->request)) {
        Forget(*client, *unit);
        removed.push_back(std::move(*unit));
        continue;
      }
      if (kept != unit) *kept = std::move(*unit);
      ++kept;
    }
    units.erase(kept, units.end());
    client = units.empty() ? Leave(client) : std::next(client);
  }
  return removed;
}

void RequestQueue::RecordService(absl::Duration service, int tokens) {
  const double count = tokens;
  if (mean_service_ == absl::ZeroDuration()) {
    mean_service_ = service;
    mean_tokens_ = count;
    return;
  }
  mean_service_ = (1 - kNewest) * mean_service_ + kNewest * service;
  mean_tokens_ = (1 - kNewest) * mean_tokens_ + kNewest * count;
}

absl::Duration RequestQueue::PredictWait(const std::string& client,
                                         int newcomers, int free_kv_slots,
                                         int kv_slots) const {
  int clients = 1;  // That take turns, this one included.
  int own = newcomers;
  for (const Client& other : line_) {
    if (other.name == client) {
      own += other.sequences;
    } else {
      ++clients;
    }
  }
  // At most everybody is ahead; with turns, no more than its own share.
  const int ahead =
      std::min(sequences_ + newcomers, own * clients) - free_kv_slots;
  if (ahead <= 0) return absl::ZeroDuration();
  return mean_service_ * (static_cast<double>(ahead) / std::max(1, kv_slots));
}

absl::Duration RequestQueue::PredictRun(const RequestSpec& spec) const {
  if (mean_tokens_ <= 0) return absl::ZeroDuration();
  int most = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    most = std::max(most, sequence.max_new_tokens);
  }
  return mean_service_ * std::min(1.0, most / mean_tokens_);
}

void RequestQueue::ForEach(
    const std::function<void(const QueuedUnit&)>& visit) const {
  for (const Client& client : line_) {
    for (const QueuedUnit& unit : client.units) visit(unit);
  }
}

absl::Status RequestQueue::CheckInvariants() const {
  int sequences = 0;
  int64_t tokens = 0;
  std::set<std::string> names;
  std::set<std::pair<const ActiveRequest*, int>> seen;
  for (const Client& client : line_) {
    if (!names.insert(client.name).second) {
      return absl::InternalError("queue: a client stands in the line twice");
    }
    if (client.units.empty()) {
      return absl::InternalError("queue: a client waits for nothing");
    }
    int own = 0;
    for (const QueuedUnit& unit : client.units) {
      int64_t unit_tokens = 0;
      for (int i : unit.sequences) {
        unit_tokens += TokensOf(unit.request->spec.sequences[i]);
        if (!seen.emplace(unit.request.get(), i).second) {
          return absl::InternalError("queue: a sequence waits twice");
        }
      }
      if (unit.sequences.empty() || unit_tokens != unit.tokens) {
        return absl::InternalError("queue: a unit's tokens are not its own");
      }
      own += static_cast<int>(unit.sequences.size());
      tokens += unit.tokens;
    }
    if (own != client.sequences) {
      return absl::InternalError("queue: a client's count is not its own");
    }
    sequences += own;
  }
  if (sequences != sequences_ || tokens != tokens_) {
    return absl::InternalError(
        absl::StrCat("queue: counts ", sequences_, " sequences and ", tokens_,
                     " tokens, holds ", sequences, " and ", tokens));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
