#include "server/grpc/connection_acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "absl/time/clock.h"

namespace alignsae {
namespace {

// Looks for closed connections are that far apart.
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);
// Descriptors that are not the gRPC port's: files, the admin port, gRPC's own.
constexpr rlim_t kOthers = 160;
constexpr rlim_t kMostConnections = 8192;

// 0 when `fd` is no open socket.
ino_t SocketOf(int fd) {
  struct stat info = {};
  return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

int ConnectionLimit(int others) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 256;
  const rlim_t taken = kOthers + static_cast<rlim_t>(others);
  const rlim_t left =
      limit.rlim_cur > taken ? limit.rlim_cur - taken : rlim_t{0};
  return static_cast<int>(std::clamp<rlim_t>(left, 16, kMostConnections));
}

ConnectionAcceptor::ConnectionAcceptor(Listener listener, int limit)
    : listener_(listener), limit_(static_cast<size_t>(limit)) {}

ConnectionAcceptor::~ConnectionAcceptor() { Stop(); }

void ConnectionAcceptor::Start(std::unique_ptr<Door> door) {
  door_ = std::move(door);
  spare_ = OpenSpare();
  thread_ = std::thread([this] { Loop(); });
}

void ConnectionAcceptor::Stop() {
  if (thread_.joinable()) {
    wake_.Set();
    thread_.join();
    for (const auto& [fd, socket] : open_) {
      if (SocketOf(fd) == socket) shutdown(fd, SHUT_RDWR);
    }
    open_.clear();
  }
  for (int* fd : {&listener_.fd, &spare_}) {
    if (*fd >= 0) close(std::exchange(*fd, -1));
  }
}

void ConnectionAcceptor::Loop() {
  pollfd watched[] = {{listener_.fd, POLLIN, 0}, {wake_.fd(), POLLIN, 0}};
  while (true) {
    if (poll(watched, 2, -1) < 0) continue;
    if (watched[1].revents != 0) return;
    const int fd = AcceptOn(listener_.fd, &spare_);
    if (fd >= 0) {
      Accept(fd);
    } else if (errno != EAGAIN) {
      // Out of memory or of descriptors; it stays readable.
      absl::SleepFor(kLookAgain);
    }
  }
}

void ConnectionAcceptor::Accept(int fd) {
  if (!HasRoom()) {
    close(fd);
    return;
  }
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  open_[fd] = SocketOf(fd);
  Door::NewConnectionParameters connection;
  connection.listener_fd = listener_.fd;
  connection.fd = fd;
  door_->HandleNewConnection(&connection);
}

bool ConnectionAcceptor::HasRoom() {
  if (open_.size() < limit_) return true;
  if (const absl::Time now = absl::Now(); now - looked_ >= kLookAgain) {
    looked_ = now;
    ForgetClosed();
  }
  return open_.size() < limit_;
}

void ConnectionAcceptor::ForgetClosed() {
  for (auto entry = open_.begin(); entry != open_.end();) {
    entry = SocketOf(entry->first) == entry->second ? std::next(entry)
                                                    : open_.erase(entry);
  }
}

}  // namespace alignsae
