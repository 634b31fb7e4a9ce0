// RawPeer: the other end of a TCP connection, which says what it is told to.

#ifndef ALIGNSAE_TESTS_SUPPORT_RAW_PEER_H_
#define ALIGNSAE_TESTS_SUPPORT_RAW_PEER_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

class RawPeer {
 public:
  // `buffer`: bytes that its system keeps for it; 0: the system's choice.
  explicit RawPeer(int port, int buffer = 0)
      : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (buffer > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    }
    const timeval patience = {20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
  }
  ~RawPeer() { Close(); }
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(size));
    }
  }
  // What comes until it ends with `end`, the other side closes, or 20 s.
  std::string ReadUntil(absl::string_view end) {
    std::string got;
    char byte = 0;
    while (got.size() < end.size() || end.empty() ||
           absl::string_view(got).substr(got.size() - end.size()) != end) {
      if (recv(fd_, &byte, 1, 0) != 1) break;
      got += byte;
    }
    return got;
  }
  // Until the other side closes.
  std::string ReadAll() { return ReadUntil(""); }

 private:
  int fd_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_RAW_PEER_H_
