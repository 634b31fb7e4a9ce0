#include "server/api/slot_watchers.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_payload.h"
#include "server/api/unary_call.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

SlotLook LookAt(std::vector<CheckpointActivity> activities,
                const SlotLook& before, absl::Duration took) {
  SlotLook look;
  look.took = took;
  for (CheckpointActivity& activity : activities) {
    const auto earlier = before.checkpoints.find(activity.checkpoint);
    SlotLook::Checkpoint& one = look.checkpoints[activity.checkpoint];
    one.recent =
        Since(earlier == before.checkpoints.end() ? SlotActivity()
                                                  : earlier->second.all.total,
              activity.total);
    one.all = std::move(activity);
  }
  return look;
}

}  // namespace

SlotWatchers::SlotWatchers(const Metrics* metrics, const Clock* clock,
                           int max_watchers)
    : metrics_(metrics),
      clock_(clock),
      max_watchers_(static_cast<size_t>(max_watchers)),
      looked_(clock->Now()) {}

SlotWatchers::~SlotWatchers() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void SlotWatchers::Start() {
  thread_ = std::thread([this] { Loop(); });
}

absl::Status SlotWatchers::Join(const std::shared_ptr<SlotWatcher>& watcher) {
  std::shared_ptr<const SlotLook> newest;
  {
    MutexLock lock(&mutex_);
    if (watchers_.size() >= max_watchers_) {
      return WithReason(
          absl::ResourceExhaustedError(absl::StrCat(
              "server: must have at most ", max_watchers_,
              " watchers (--max-watchers), and has them; ask again later")),
          kReasonLimit);
    }
    watchers_.push_back(watcher);
    newest = newest_;
  }
  if (newest != nullptr) watcher->Offer(std::move(newest));
  return absl::OkStatus();
}

void SlotWatchers::Leave(const SlotWatcher* watcher) {
  MutexLock lock(&mutex_);
  watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                 [watcher](const auto& one) {
                                   return one.get() == watcher;
                                 }),
                  watchers_.end());
}

void SlotWatchers::Look() {
  std::shared_ptr<const SlotLook> look;
  std::vector<std::shared_ptr<SlotWatcher>> watchers;
  {
    MutexLock in_turn(&look_mutex_);
    const absl::Time now = clock_->Now();
    {
      MutexLock lock(&mutex_);
      look = newest_ == nullptr ? std::make_shared<const SlotLook>() : newest_;
    }
    look = std::make_shared<const SlotLook>(
        LookAt(metrics_->SlotActivities(), *look, now - looked_));
    looked_ = now;
    MutexLock lock(&mutex_);
    newest_ = look;
    watchers = watchers_;
  }
  for (const auto& watcher : watchers) watcher->Offer(look);
}

void SlotWatchers::Loop() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kLookEvery);
      if (stopping_) return;
    }
    // Without memory there is no look now; the next one is of both seconds.
    const absl::Status status = WithoutMemoryFailure([this] {
      Look();
      return absl::OkStatus();
    });
    if (status.ok()) continue;
    LogLine(LogLevel::kWarning, "slots_not_looked_at")
        .Add("error", status.ToString());
  }
}

}  // namespace alignsae
