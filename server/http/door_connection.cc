#include "server/http/door_connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

constexpr char kEndOfHead[] = "\r\n\r\n";
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";
// What a peer may still send after its last answer, in time.
constexpr absl::Duration kLinger = absl::Seconds(2);

}  // namespace

DoorConnection::DoorConnection(int fd, std::string host, bool surplus,
                               const DoorOptions* options,
                               std::shared_ptr<WakeUp> wake, absl::Time now)
    : fd_(fd),
      host_(std::move(host)),
      surplus_(surplus),
      options_(options),
      wake_(std::move(wake)),
      deadline_(now + (surplus ? options->max_request_time
                               : options->max_idle_time)) {}

short DoorConnection::wants() const {
  int events = POLLRDHUP;
  // What is sent ahead of an answer waits in the kernel, once a head has come.
  if (state_ != State::kAnswer || in_.size() < options_->max_head_bytes) {
    events |= POLLIN;
  }
  const bool output = exchange_ != nullptr && exchange_->HasOutput();
  if (output || !interim_.empty()) events |= POLLOUT;
  return static_cast<short>(events);
}

absl::Time DoorConnection::next() const {
  return state_ == State::kAnswer ? exchange_->give_up() : deadline_;
}

bool DoorConnection::Serve(short events, absl::Time now) {
  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) return false;
  if ((events & POLLIN) != 0 && !Receive()) return false;
  // In the middle of a request that may be the end of it; of an answer it is
  // the peer's farewell.
  if ((events & POLLRDHUP) != 0 && state_ == State::kAnswer) return false;
  if (!in_.empty() && state_ == State::kHead && !request_begun_) {
    request_begun_ = true;
    deadline_ = now + options_->max_request_time;
  }
  while (Step()) {
  }
  if (exchange_ != nullptr && !exchange_->SendTo(fd())) return false;
  while (exchange_ != nullptr && exchange_->IsOver() && FinishAnswer(now)) {
    while (Step()) {
    }
    if (exchange_ != nullptr && !exchange_->SendTo(fd())) return false;
  }
  if (now < next()) return true;
  if (!request_begun_ || state_ == State::kEnd || state_ == State::kAnswer) {
    return false;
  }
  Refuse({408, HttpRefusal::kTime,
          absl::StrCat("request: must be whole within ",
                       absl::FormatDuration(options_->max_request_time))});
  return exchange_->SendTo(fd());
}

bool DoorConnection::Receive() {
  char buffer[16 << 10];
  const ssize_t size = recv(fd(), buffer, sizeof(buffer), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  if (state_ != State::kEnd) in_.append(buffer, static_cast<size_t>(size));
  return true;
}

bool DoorConnection::Step() {
  if (!interim_.empty()) {
    const ssize_t size =
        send(fd(), interim_.data(), interim_.size(), MSG_NOSIGNAL);
    if (size > 0) interim_.erase(0, static_cast<size_t>(size));
  }
  switch (state_) {
    case State::kHead:
      return TakeHead();
    case State::kBody:
      return TakeBody();
    default:
      return false;
  }
}

bool DoorConnection::TakeHead() {
  const size_t end = in_.find(kEndOfHead);
  if (std::min(end, in_.size()) > options_->max_head_bytes) {
    Refuse({431, HttpRefusal::kHead,
            absl::StrCat("request: must have a head of at most ",
                         options_->max_head_bytes, " bytes")});
    return true;
  }
  if (end == std::string::npos) return false;
  request_ = HttpRequest();
  request_.host = host_;
  std::optional<HttpFailure> failure =
      ParseHead(absl::string_view(in_).substr(0, end), &request_);
  in_.erase(0, end + sizeof(kEndOfHead) - 1);
  if (!failure.has_value() && surplus_) {
    failure = {503,
               HttpRefusal::kConnections,
               absl::StrCat("server: has as many HTTP connections as "
                            "--http-max-connections allows (",
                            options_->max_connections, ")"),
               {{"Retry-After", "1"}}};
  }
  if (!failure.has_value()) failure = options_->check(request_);
  if (failure.has_value()) {
    Refuse(*failure);
    return true;
  }
  if (std::optional<HttpReply> reply = options_->greet(request_)) {
    // A body that nobody asked for would be taken for the next request.
    if (request_.chunked || request_.content_length > 0) {
      request_.keep_alive = false;
    }
    Reply(*std::move(reply));
    return true;
  }
  if (!ReserveBody()) return true;
  body_.emplace(request_, options_->max_body_bytes);
  if (request_.expects_continue && in_.empty()) interim_ = kContinue;
  state_ = State::kBody;
  return true;
}

bool DoorConnection::ReserveBody() {
  // Of a body in chunks the size is not known before its end.
  const uint64_t size =
      request_.chunked ? options_->max_body_bytes : request_.content_length;
  if (size > options_->max_body_bytes) {
    Refuse({413, HttpRefusal::kBody,
            absl::StrCat("request: must have at most ",
                         options_->max_body_bytes, " bytes, got ", size)});
    return false;
  }
  // It lies there twice while it is inflated.
  inflated_ = request_.gzip ? options_->max_body_bytes : 0;
  std::optional<MemoryBudget::Share> share = options_->memory->TryTake(
      {host_, ""}, static_cast<int64_t>(size + inflated_));
  if (!share.has_value()) {
    Refuse({429,
            HttpRefusal::kMemory,
            "server: must hold this request within --call-memory-mib, and "
            "others hold too much; ask again",
            {{"Retry-After", "1"}}});
    return false;
  }
  share_ = *std::move(share);
  return true;
}

bool DoorConnection::TakeBody() {
  switch (body_->Read(&in_, &request_.body)) {
    case HttpBody::State::kMore:
      return false;
    case HttpBody::State::kTooLarge:
      Refuse({413, HttpRefusal::kBody,
              absl::StrCat("request: must have at most ",
                           options_->max_body_bytes, " bytes")});
      return true;
    case HttpBody::State::kMalformed:
      Refuse({400, HttpRefusal::kBody, "request: must be in whole chunks"});
      return true;
    case HttpBody::State::kDone:
      share_.ShrinkTo(static_cast<int64_t>(request_.body.size() + inflated_));
      StartExchange(true);
      return true;
  }
  return false;
}

void DoorConnection::StartExchange(bool handle) {
  state_ = State::kAnswer;
  exchange_ = std::make_shared<DoorExchange>(
      std::move(request_), std::move(share_), options_->decorate, wake_);
  request_ = HttpRequest();
  if (handle) options_->handle(exchange_);
}

void DoorConnection::Reply(HttpReply reply) {
  StartExchange(false);
  exchange_->GiveUpAfter(options_->max_unread_time);
  exchange_->Answer(std::move(reply));
}

void DoorConnection::Refuse(const HttpFailure& failure) {
  options_->count_refusal(failure.reason);
  // Where a request ends is not known any more.
  request_.keep_alive = false;
  HttpReply reply = options_->refuse(request_, failure);
  reply.headers.insert(reply.headers.end(), failure.headers.begin(),
                       failure.headers.end());
  Reply(std::move(reply));
}

bool DoorConnection::FinishAnswer(absl::Time now) {
  const bool goes_on = exchange_->request().keep_alive;
  std::exchange(exchange_, nullptr)->Done();
  if (!goes_on) {
    state_ = State::kEnd;
    deadline_ = now + kLinger;
    in_.clear();
    shutdown(fd(), SHUT_WR);
    return false;
  }
  state_ = State::kHead;
  request_begun_ = !in_.empty();
  deadline_ = now + (request_begun_ ? options_->max_request_time
                                    : options_->max_idle_time);
  return true;
}

std::shared_ptr<DoorExchange> DoorConnection::TakeExchange() {
  std::shared_ptr<DoorExchange> exchange = std::exchange(exchange_, nullptr);
  if (exchange != nullptr) exchange->PeerIsGone();
  return exchange;
}

}  // namespace alignsae
