#include "server/api/read_stream.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/api/concept_rpcs.h"
#include "server/api/methods.h"
#include "server/api/unary_call.h"

namespace alignsae {
namespace {

v1::ReadError ErrorOf(const WireStatus& wire) {
  v1::ReadError error;
  error.set_code(static_cast<int>(wire.code));
  error.set_reason(wire.reason);
  error.set_message(wire.message);
  int64_t pushback = 0;
  if (absl::SimpleAtoi(wire.retry_pushback, &pushback)) {
    error.set_retry_after_ms(pushback);
  }
  return error;
}

Caller OfRequests(Caller caller, const Call& stream) {
  caller.request_id = stream.request_id();
  caller.capped = true;
  return caller;
}

}  // namespace

ReadStream::ReadStream(std::shared_ptr<Call> call, const Caller& caller,
                       std::shared_ptr<ReadStreamSink> sink)
    : call_(std::move(call)),
      caller_(OfRequests(caller, *call_)),
      sink_(std::move(sink)),
      heard_(call_->env().clock->Now()) {}

void ReadStream::Begin() {
  // Refuses bad ids, and tells at once that the server starts or drains.
  const absl::Status entered = EnterCall(call_).status();
  MutexLock lock(&mutex_);
  stop_ = entered;
  Go();
}

void ReadStream::OnRead(bool ok) {
  RequestPtr request;
  {
    MutexLock lock(&mutex_);
    reading_ = false;
    heard_ = Now();
    if (ok && !finished_) {
      request = TakeIn();
    } else {
      half_closed_ = true;
      Go();
    }
  }
  if (request == nullptr) return;
  // Not under the lock: a request that finds its lane full is answered here.
  ReadConcepts(
      request->call, &request->request.read(),
      request->response.mutable_answer(),
      [self = shared_from_this(), request](const absl::Status& status) {
        self->Answer(request, status);
      });
  MutexLock lock(&mutex_);
  if (broken_) request->call->Cancel();  // It came between.
  Go();
}

ReadStream::RequestPtr ReadStream::TakeIn() {
  auto request = std::make_shared<Request>();
  request->call =
      std::make_shared<Call>(&call_->env(), kRpcReadConcepts, caller_);
  request->request.Swap(&incoming_);
  request->response.set_index(next_index_++);
  request->prompts = request->request.read().prompts_size();
  open_.insert(request);
  open_prompts_ += request->prompts;
  return request;
}

void ReadStream::Answer(const RequestPtr& request, const absl::Status& status) {
  const WireStatus wire = request->call->End(status);
  if (!status.ok()) *request->response.mutable_error() = ErrorOf(wire);
  MutexLock lock(&mutex_);
  // The server starts or drains: so it will answer everything now.
  if (absl::IsUnavailable(status) && stop_.ok()) stop_ = status;
  answered_.push_back(request);
  Go();
}

void ReadStream::OnWritten(bool ok) {
  RequestPtr written;  // Goes without the lock: it gives memory back.
  MutexLock lock(&mutex_);
  written = std::move(writing_);
  Forget(written);
  heard_ = Now();
  broken_ = broken_ || !ok;
  Go();
}

void ReadStream::OnCancel() {
  call_->Cancel();
  std::vector<std::shared_ptr<Call>> calls;
  {
    MutexLock lock(&mutex_);
    broken_ = true;
    for (const RequestPtr& request : open_) calls.push_back(request->call);
    Go();
  }
  for (const std::shared_ptr<Call>& call : calls) call->Cancel();
}

bool ReadStream::OnTick() {
  const absl::Status served =
      call_->env().models->Acquire(kDefaultModel).status();
  const RpcEnv& env = call_->env();
  MutexLock lock(&mutex_);
  if (finished_) return false;
  if (writing_ != nullptr) {
    if (Now() - writing_since_ >= env.unread.max_age) sink_->GiveUp();
    return true;
  }
  if (!open_.empty()) return true;
  const absl::Duration patience =
      absl::Seconds(env.config.limits.max_deadline_seconds);
  if (!served.ok()) {
    stop_ = served;
  } else if (Now() - heard_ >= patience) {
    stop_ = absl::DeadlineExceededError(
        absl::StrCat("stream: must send a request within ",
                     absl::FormatDuration(patience), ", got none"));
  } else if (const absl::Status why = call_->WhyStop(); !why.ok()) {
    stop_ = why;
  }
  Go();
  return !finished_;
}

void ReadStream::Forget(const RequestPtr& request) {
  open_prompts_ -= request->prompts;
  open_.erase(request);
}

bool ReadStream::HasRoom() const {
  return open_.size() < kMaxRequests &&
         open_prompts_ < call_->env().config.limits.max_prompts_per_batch;
}

std::optional<absl::Status> ReadStream::WhyEnd() const {
  if (broken_) return absl::CancelledError("the client went away");
  if (!stop_.ok()) return stop_;
  if (half_closed_) return absl::OkStatus();
  return std::nullopt;
}

void ReadStream::Go() {
  if (finished_ || writing_ != nullptr) return;
  while (broken_ && !answered_.empty()) {
    Forget(answered_.front());
    answered_.pop_front();
  }
  if (!answered_.empty()) {
    writing_ = std::move(answered_.front());
    answered_.pop_front();
    writing_since_ = Now();
    sink_->Write(writing_->response);
  }
  const std::optional<absl::Status> end = WhyEnd();
  if (!end.has_value()) {
    if (!reading_ && HasRoom()) {
      reading_ = true;
      sink_->Read(&incoming_);
    }
    return;
  }
  if (open_.empty()) {
    finished_ = true;
    sink_->Finish(call_->End(*end));
  }
}

}  // namespace alignsae
