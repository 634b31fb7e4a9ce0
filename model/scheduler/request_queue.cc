#include "model/scheduler/request_queue.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Weight of the newest sequence in the mean: the last ten or so count.
constexpr double kNewest = 0.1;

int64_t TokensOf(const SequenceSpec& sequence) {
  return static_cast<int64_t>(sequence.prompt.size()) + sequence.max_new_tokens;
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

absl::Status RequestQueue::CheckRoom(int sequences, int64_t tokens) const {
  if (sequences_ + sequences > options_.max_sequences) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          "queue: must hold at most ", options_.max_sequences,
                          " waiting sequences, got ", sequences_, " and ",
                          sequences, " more")),
                      kReasonQueueFull);
  }
  if (tokens_ > 0 && tokens_ + tokens > options_.max_tokens) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "queue: must hold at most ", options_.max_tokens,
            " waiting tokens, got ", tokens_, " and ", tokens, " more")),
        kReasonTokenBudget);
  }
  return absl::OkStatus();
}

std::shared_ptr<ActiveRequest> RequestQueue::Newest(const Client& client) {
  for (auto unit = client.units.rbegin(); unit != client.units.rend(); ++unit) {
    if (!unit->request->started) return unit->request;
  }
  return nullptr;
}

absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>>
RequestQueue::MakeRoom(const RequestSpec& spec) {
  const int added = static_cast<int>(spec.sequences.size());
  const int64_t tokens = TokensOf(spec);
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  absl::Status room = CheckRoom(added, tokens);
  // One that can never fit displaces nobody.
  if (added > options_.max_sequences || tokens > options_.max_tokens) {
    if (!room.ok()) return room;
    return displaced;
  }
  const auto own = clients_.find(spec.client);
  const int waiting = own == clients_.end() ? 0 : own->second.sequences;
  while (!room.ok()) {
    const auto most = std::max_element(
        clients_.begin(), clients_.end(), [](const auto& a, const auto& b) {
          return a.second.sequences < b.second.sequences;
        });
    if (most == clients_.end() || most->first == spec.client) return room;
    const std::shared_ptr<ActiveRequest> newest = Newest(most->second);
    if (newest == nullptr) return room;
    // It keeps at least as many as the newcomer's client then has.
    const int left = most->second.sequences -
                     static_cast<int>(newest->spec.sequences.size());
    if (left < waiting + added) return room;
    RemoveIf(
        [&](const ActiveRequest& request) { return &request == newest.get(); });
    displaced.push_back(newest);
    room = CheckRoom(added, tokens);
  }
  return displaced;
}

void RequestQueue::Push(std::shared_ptr<ActiveRequest> request) {
  Client& client = clients_[request->spec.client];
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

// The client whose next unit starts first in virtual time; null: nobody waits.
RequestQueue::Client* RequestQueue::Next() {
  Client* next = nullptr;
  for (auto it = clients_.begin(); it != clients_.end();) {
    Client& client = it->second;
    if (client.units.empty() && client.served <= now_) {
      it = clients_.erase(it);  // Owes nothing: as good as a new one.
      continue;
    }
    ++it;
    if (client.units.empty()) continue;
    if (next == nullptr ||
        std::max(now_, client.served) < std::max(now_, next->served)) {
      next = &client;
    } else if (std::max(now_, client.served) == std::max(now_, next->served) &&
               client.units.front().request->submitted <
                   next->units.front().request->submitted) {
      next = &client;
    }
  }
  return next;
}

std::optional<QueuedUnit> RequestQueue::Pop(int free_slots) {
  Client* const client = Next();
  if (client == nullptr || free_slots < 1) return std::nullopt;
  QueuedUnit& front = client->units.front();
  const int count = static_cast<int>(front.sequences.size());
  QueuedUnit unit;
  if (count <= free_slots) {
    unit = std::move(front);
    client->units.pop_front();
  } else if (front.request->spec.grouping == Grouping::kAsManyAsFit) {
    unit = Split(front, free_slots);
  } else {
    return std::nullopt;
  }
  Forget(*client, unit);
  unit.request->started = true;
  now_ = std::max(now_, client->served);
  client->served = now_ + static_cast<double>(unit.tokens);
  if (sequences_ == 0) {  // Nobody waits: there is nothing to be fair about.
    clients_.clear();
    now_ = 0;
  }
  return unit;
}

std::vector<QueuedUnit> RequestQueue::RemoveIf(
    const std::function<bool(const ActiveRequest&)>& drop) {
  std::vector<QueuedUnit> removed;
  for (auto& [name, client] : clients_) {
    std::deque<QueuedUnit> kept;
    for (QueuedUnit& unit : client.units) {
      if (drop(*unit.request)) {
        Forget(client, unit);
        removed.push_back(std::move(unit));
      } else {
        kept.push_back(std::move(unit));
      }
    }
    client.units = std::move(kept);
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
                                         int newcomers, int free_slots,
                                         int slots) const {
  int waiting = 0;  // Clients that take turns, this one included.
  int own = newcomers;
  for (const auto& [name, other] : clients_) {
    if (name == client) {
      own += other.sequences;
    } else if (other.sequences > 0) {
      ++waiting;
    }
  }
  // At most everybody is ahead; with turns, no more than its own share.
  const int ahead =
      std::min(sequences_ + newcomers, own * (waiting + 1)) - free_slots;
  if (ahead <= 0) return absl::ZeroDuration();
  return mean_service_ * (static_cast<double>(ahead) / std::max(1, slots));
}

absl::Duration RequestQueue::PredictRun(const RequestSpec& spec) const {
  if (mean_tokens_ <= 0) return absl::ZeroDuration();
  int most = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    most = std::max(most, sequence.max_new_tokens);
  }
  return mean_service_ * std::min(1.0, most / mean_tokens_);
}

}  // namespace alignsae
