#include "model/scheduler/client_line.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "model/base/dcheck.h"

namespace alignsae {

WaitingClient& ClientLine::Place(const std::string& origin,
                                 const std::string& name) {
  auto home = std::find_if(
      origins_.begin(), origins_.end(),
      [&](const WaitingOrigin& other) { return other.name == origin; });
  if (home == origins_.end()) {
    home = origins_.insert(home, WaitingOrigin{origin, {}, 0});
  }
  auto client = std::find_if(
      home->clients.begin(), home->clients.end(),
      [&](const WaitingClient& other) { return other.name == name; });
  if (client == home->clients.end()) {
    client = home->clients.insert(client, WaitingClient{name, {}, 0});
  }
  return *client;
}

int ClientLine::clients() const {
  size_t count = 0;
  for (const WaitingOrigin& origin : origins_) count += origin.clients.size();
  return static_cast<int>(count);
}

int64_t ClientLine::LargestPart(const KvAmount& free) const {
  int64_t largest = 0;
  for (const WaitingOrigin& origin : origins_) {
    for (const WaitingClient& client : origin.clients) {
      largest = std::max(largest, PartOf(client.units.front(), free).tokens);
    }
  }
  return largest;
}

void ClientLine::NextClient(WaitingOrigin& origin) {
  origin.turn_tokens = 0;
  origin.clients.splice(origin.clients.end(), origin.clients,
                        origin.clients.begin());
}

void ClientLine::NextOrigin() {
  turn_tokens_ = 0;
  origins_.splice(origins_.end(), origins_, origins_.begin());
}

void ClientLine::SettleClient(WaitingOrigin& origin, int64_t quantum,
                              const KvAmount& free) {
  const int64_t next =
      PartOf(origin.clients.front().units.front(), free).tokens;
  if (origin.turn_tokens + next > quantum) NextClient(origin);
}

void ClientLine::Settle(const KvAmount& free) {
  const int64_t quantum = LargestPart(free);
  SettleClient(origins_.front(), quantum, free);
  const int64_t next = PartOf(First().units.front(), free).tokens;
  if (turn_tokens_ + next <= quantum) return;
  NextOrigin();
  SettleClient(origins_.front(), quantum, free);
}

void ClientLine::PassTurn() {
  NextClient(origins_.front());
  NextOrigin();
}

void ClientLine::GaveFirst(int64_t tokens) {
  origins_.front().turn_tokens += tokens;
  turn_tokens_ += tokens;
  if (First().units.empty()) RemoveEmpty();
}

WaitingClient* ClientLine::Find(
    const std::function<bool(const QueuedUnit&)>& wanted) {
  for (WaitingOrigin& origin : origins_) {
    for (WaitingClient& client : origin.clients) {
      if (wanted(client.units.front())) return &client;
    }
  }
  return nullptr;
}

void ClientLine::GaveOther(const WaitingClient& given) {
  for (auto origin = origins_.begin(); origin != origins_.end(); ++origin) {
    std::list<WaitingClient>& clients = origin->clients;
    const auto client = std::find_if(
        clients.begin(), clients.end(),
        [&](const WaitingClient& other) { return &other == &given; });
    if (client == clients.end()) continue;
    if (client == clients.begin()) origin->turn_tokens = 0;
    clients.splice(clients.end(), clients, client);
    if (origin == origins_.begin()) turn_tokens_ = 0;
    origins_.splice(origins_.end(), origins_, origin);
    break;
  }
  RemoveEmpty();
}

void ClientLine::RemoveEmpty() {
  for (auto origin = origins_.begin(); origin != origins_.end();) {
    std::list<WaitingClient>& clients = origin->clients;
    for (auto client = clients.begin(); client != clients.end();) {
      if (!client->units.empty()) {
        ++client;
        continue;
      }
      ALIGNSAE_DCHECK(client->sequences == 0);
      if (client == clients.begin()) origin->turn_tokens = 0;
      client = clients.erase(client);
    }
    if (!clients.empty()) {
      ++origin;
      continue;
    }
    if (origin == origins_.begin()) turn_tokens_ = 0;
    origin = origins_.erase(origin);
  }
}

absl::Status ClientLine::CheckInvariants() const {
  std::set<std::string> origins;
  for (const WaitingOrigin& origin : origins_) {
    std::set<std::string> names;
    if (!origins.insert(origin.name).second || origin.clients.empty()) {
      return absl::InternalError(
          "queue: an origin stands twice, or for nobody");
    }
    for (const WaitingClient& client : origin.clients) {
      if (!names.insert(client.name).second) {
        return absl::InternalError("queue: a client stands in the line twice");
      }
      if (client.units.empty()) {
        return absl::InternalError("queue: a client waits for nothing");
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace alignsae
