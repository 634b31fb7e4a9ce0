#include "server/http/http_door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/process/listener.h"

namespace alignsae {
namespace {

// Beyond the limit, so that they can be told.
constexpr int kSurplus = 32;
// A peer that does not read is to be noticed, not stored for.
constexpr int kSendBuffer = 64 << 10;

// "ipv4:10.0.0.7" and "ipv6:%5B::1%5D", as gRPC has it: a host is the same at
// both ports.
std::string HostOf(int fd) {
  sockaddr_storage peer = {};
  socklen_t size = sizeof(peer);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
    return "unknown";
  }
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&peer)->sin_addr, text,
              sizeof(text));
    return absl::StrCat("ipv4:", text);
  }
  const in6_addr& address = reinterpret_cast<sockaddr_in6*>(&peer)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    inet_ntop(AF_INET, &address.s6_addr[12], text, sizeof(text));
    return absl::StrCat("ipv4:", text);
  }
  inet_ntop(AF_INET6, &address, text, sizeof(text));
  return absl::StrCat("ipv6:%5B", text, "%5D");
}

void SetSocket(int fd) {
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
}

}  // namespace

struct HttpDoor::Impl {
  Impl(DoorOptions o, Listener l) : options(std::move(o)), listener(l) {
    spare = OpenSpare();
    thread = std::thread([this] { Loop(); });
  }
  ~Impl() {
    for (int fd : {listener.fd, spare}) {
      if (fd >= 0) close(fd);
    }
  }

  void Loop() {
    std::vector<pollfd> watched;
    while (!stopping || !connections.empty() || !orphans.empty()) {
      watched.assign({{wake->fd(), POLLIN, 0}, {listener.fd, POLLIN, 0}});
      absl::Time next = absl::InfiniteFuture();
      for (const DoorConnection& connection : connections) {
        watched.push_back({connection.fd(), connection.wants(), 0});
        next = std::min(next, connection.next());
      }
      poll(watched.data(), watched.size(), PollMilliseconds(next));
      if (watched[0].revents != 0) wake->Clear();
      ServeAll(watched);
      if (stopping) {
        EndAll();
      } else if (watched[1].revents != 0) {
        AcceptAll();
      }
      EndOrphans();
      count = static_cast<int>(connections.size());
    }
  }

  void ServeAll(const std::vector<pollfd>& watched) {
    const absl::Time now = absl::Now();
    size_t i = 2;
    for (auto it = connections.begin(); it != connections.end(); ++i) {
      if (it->Serve(watched[i].revents, now)) {
        ++it;
      } else {
        it = End(it);
      }
    }
  }

  using Place = std::list<DoorConnection>::iterator;
  Place End(Place place) {
    if (std::shared_ptr<DoorExchange> left = place->TakeExchange()) {
      orphans.push_back(std::move(left));
    }
    return connections.erase(place);
  }

  void EndAll() {
    if (listener.fd >= 0) close(std::exchange(listener.fd, -1));
    for (auto it = connections.begin(); it != connections.end();) it = End(it);
  }

  // Those whose answers have come to their end too.
  void EndOrphans() {
    for (auto it = orphans.begin(); it != orphans.end();) {
      (*it)->PeerIsGone();
      if ((*it)->IsOver()) {
        (*it)->Done();
        it = orphans.erase(it);
      } else {
        ++it;
      }
    }
  }

  void AcceptAll() {
    while (true) {
      const int fd = AcceptOn(listener.fd, &spare);
      if (fd < 0) {
        if (errno != EAGAIN) absl::SleepFor(kRetryAccept);
        return;
      }
      Accept(fd);
    }
  }

  void Accept(int fd) {
    const auto limit = static_cast<size_t>(options.max_connections);
    bool surplus = connections.size() >= limit;
    if (surplus) surplus = !EndOldestIdle();
    if (connections.size() >= limit + kSurplus) {
      options.count_refusal(HttpRefusal::kConnections);
      close(fd);
      return;
    }
    SetSocket(fd);
    const absl::Time now = absl::Now();
    connections.emplace_back(fd, HostOf(fd), surplus, &options, wake, now);
    // Most requests are there already.
    if (!connections.back().Serve(POLLIN, now)) End(--connections.end());
  }

  bool EndOldestIdle() {
    for (auto it = connections.begin(); it != connections.end(); ++it) {
      if (!it->idle() || it->surplus()) continue;
      End(it);
      return true;
    }
    return false;
  }

  const DoorOptions options;
  Listener listener;
  const std::shared_ptr<WakeUp> wake = std::make_shared<WakeUp>();
  std::atomic<bool> stopping = false;
  std::atomic<int> count = 0;
  int spare = -1;
  // The thread's. Oldest first.
  std::list<DoorConnection> connections;
  // Not over, and without a connection.
  std::list<std::shared_ptr<DoorExchange>> orphans;
  std::thread thread;
};

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::Start(
    const std::string& host, int port, DoorOptions options) {
  const absl::StatusOr<Listener> listener = ListenOn(host, port);
  if (!listener.ok()) {
    return absl::UnavailableError(
        absl::StrCat("--http-listen: must be an address that is free, got ",
                     host, ":", port));
  }
  return std::unique_ptr<HttpDoor>(new HttpDoor(
      std::make_unique<Impl>(std::move(options), *listener), listener->port));
}

HttpDoor::HttpDoor(std::unique_ptr<Impl> impl, int port)
    : impl_(std::move(impl)), port_(port) {}

HttpDoor::~HttpDoor() { Shutdown(); }

int HttpDoor::connections() const { return impl_->count; }

void HttpDoor::Shutdown() {
  impl_->stopping = true;
  impl_->wake->Set();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace alignsae
