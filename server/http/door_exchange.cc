#include "server/http/door_exchange.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/time/clock.h"

namespace alignsae {

void DoorExchange::DropBody() {
  std::string().swap(request_.body);
  body_.ShrinkTo(0);
}

void DoorExchange::Answer(HttpReply reply) {
  decorate_(request_, &reply);
  std::string bytes =
      RenderHead(reply, reply.body.size(), request_.keep_alive, absl::Now());
  bytes += reply.body;
  {
    MutexLock lock(&mutex_);
    out_.push_back({std::move(bytes), nullptr});
    ended_ = true;
  }
  wake_->Set();
}

void DoorExchange::Begin(HttpReply head) {
  decorate_(request_, &head);
  MutexLock lock(&mutex_);
  out_.push_back(
      {RenderHead(head, std::nullopt, request_.keep_alive, absl::Now()),
       nullptr});
}

void DoorExchange::Write(absl::string_view bytes,
                         std::function<void(bool)> written) {
  {
    MutexLock lock(&mutex_);
    out_.push_back({RenderChunk(bytes), std::move(written)});
  }
  wake_->Set();
}

void DoorExchange::End() {
  {
    MutexLock lock(&mutex_);
    out_.push_back({kLastChunk, nullptr});
    ended_ = true;
  }
  wake_->Set();
}

void DoorExchange::GiveUpAfter(absl::Duration patience) {
  {
    MutexLock lock(&mutex_);
    give_up_ = absl::Now() + patience;
  }
  wake_->Set();
}

void DoorExchange::OnGone(std::function<void()> gone) {
  {
    MutexLock lock(&mutex_);
    if (!gone_) {
      on_gone_ = std::move(gone);
      return;
    }
  }
  gone();
}

void DoorExchange::OnDone(std::function<void()> done) {
  MutexLock lock(&mutex_);
  on_done_ = std::move(done);
}

std::function<void(bool)> DoorExchange::Advance(size_t sent) {
  MutexLock lock(&mutex_);
  sent_ += sent;
  if (sent_ < out_.front().bytes.size()) return nullptr;
  sent_ = 0;
  std::function<void(bool)> written = std::move(out_.front().written);
  out_.pop_front();
  return written;
}

bool DoorExchange::SendTo(int fd) {
  while (true) {
    absl::string_view left;
    {
      MutexLock lock(&mutex_);
      if (out_.empty()) return true;
      // Only this thread takes pieces away, so it stays while it is sent.
      left = absl::string_view(out_.front().bytes).substr(sent_);
    }
    const ssize_t size = send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (const auto written = Advance(static_cast<size_t>(size))) written(true);
  }
}

bool DoorExchange::HasOutput() const {
  MutexLock lock(&mutex_);
  return !out_.empty();
}

absl::Time DoorExchange::give_up() const {
  MutexLock lock(&mutex_);
  return give_up_;
}

bool DoorExchange::IsOver() const {
  MutexLock lock(&mutex_);
  return ended_ && out_.empty();
}

void DoorExchange::PeerIsGone() {
  std::function<void()> gone;
  std::deque<Piece> unsent;
  {
    MutexLock lock(&mutex_);
    gone_ = true;
    gone = std::exchange(on_gone_, nullptr);
    unsent.swap(out_);
    sent_ = 0;
  }
  if (gone != nullptr) gone();
  for (const Piece& piece : unsent) {
    if (piece.written != nullptr) piece.written(false);
  }
}

void DoorExchange::Done() {
  std::function<void()> done;
  {
    MutexLock lock(&mutex_);
    on_gone_ = nullptr;
    done = std::exchange(on_done_, nullptr);
  }
  if (done != nullptr) done();
}

}  // namespace alignsae
