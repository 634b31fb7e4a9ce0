#include "model/scheduler/event_queue.h"

#include <algorithm>
#include <utility>

#include "model/base/dcheck.h"

namespace alignsae {

EventQueue::EventQueue(const Options& options, const Clock* clock,
                       std::function<void()> on_ready)
    : options_(options), clock_(clock), on_ready_(std::move(on_ready)) {}

bool EventQueue::Deliver(RequestEvent event) {
  const absl::Time now = clock_->Now();
  const auto* done = std::get_if<RequestDone>(&event);
  const bool always = done || std::holds_alternative<SequenceFinished>(event);
  bool tell = done != nullptr;
  {
    MutexLock lock(&mutex_);
    const bool counts = writing_since_.has_value();
    if (!always && counts && counted_ >= options_.max_unread) return false;
    if (done) end_ = done->status;
    tell = tell || unread_.empty();
    unread_.push_back({std::move(event), now, counts});
    if (counts) ++counted_;
  }
  if (tell) on_ready_();
  return true;
}

bool EventQueue::IsStalled(absl::Time now) const {
  MutexLock lock(&mutex_);
  if (unread_.empty() || !writing_since_.has_value()) return false;
  const absl::Time since = std::max(unread_.front().since, *writing_since_);
  return now - since >= options_.max_age;
}

std::optional<RequestEvent> EventQueue::Pop() {
  MutexLock lock(&mutex_);
  if (unread_.empty()) return std::nullopt;
  RequestEvent event = std::move(unread_.front().event);
  if (unread_.front().counts) --counted_;
  unread_.pop_front();
  return event;
}

void EventQueue::BeginWrite() {
  const absl::Time now = clock_->Now();
  MutexLock lock(&mutex_);
  ALIGNSAE_DCHECK(!writing_since_.has_value());
  writing_since_ = now;
}

void EventQueue::EndWrite() {
  MutexLock lock(&mutex_);
  writing_since_.reset();
}

std::optional<absl::Status> EventQueue::end() const {
  MutexLock lock(&mutex_);
  return end_;
}

}  // namespace alignsae
