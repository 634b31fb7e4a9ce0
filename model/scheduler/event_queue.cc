#include "model/scheduler/event_queue.h"

#include <utility>

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
    if (!always && unread_.size() >= options_.max_unread) return false;
    if (done) end_ = done->status;
    tell = tell || unread_.empty();
    unread_.push_back({std::move(event), now});
  }
  if (tell) on_ready_();
  return true;
}

bool EventQueue::IsStalled(absl::Time now) const {
  MutexLock lock(&mutex_);
  return !unread_.empty() && now - unread_.front().since >= options_.max_age;
}

std::optional<RequestEvent> EventQueue::Pop() {
  MutexLock lock(&mutex_);
  if (unread_.empty()) return std::nullopt;
  RequestEvent event = std::move(unread_.front().event);
  unread_.pop_front();
  return event;
}

std::optional<absl::Status> EventQueue::end() const {
  MutexLock lock(&mutex_);
  return end_;
}

}  // namespace alignsae
