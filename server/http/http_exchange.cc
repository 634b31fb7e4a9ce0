#include "server/http/http_exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace alignsae {
namespace {

constexpr char kNotFound[] =
    "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

// Reads from one string and writes into another.
class StringStream final : public httplib::Stream {
 public:
  explicit StringStream(std::string in) : in_(std::move(in)) {}

  bool is_readable() const override { return true; }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t count = std::min(size, in_.size() - at_);
    std::memcpy(to, in_.data() + at_, count);
    at_ += count;
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* from, size_t size) override {
    out_.append(from, size);
    return static_cast<ssize_t>(size);
  }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }

  const std::string& out() const { return out_; }

 private:
  const std::string in_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string HttpRoutes::Answer(const std::string& head) {
  const std::string line = head.substr(0, head.find("\r\n"));
  // What has a body is none of ours.
  if (line.rfind("POST ", 0) == 0 || line.rfind("PUT ", 0) == 0 ||
      line.rfind("PATCH ", 0) == 0 || line.rfind("DELETE ", 0) == 0) {
    return kNotFound;
  }
  StringStream stream(line + "\r\nConnection: close\r\n\r\n");
  bool closed = false;
  process_request(stream, true, closed, nullptr);
  return stream.out();
}

}  // namespace alignsae
