// What a scheduler holds, and whether its books agree: for tests.

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/scheduler/scheduler.h"

namespace alignsae {

SchedulerCensus Scheduler::TakeCensus() const {
  SchedulerCensus census;
  for (const RunningUnit& unit : running_) {
    for (const std::optional<RunningMember>& member : unit.members) {
      if (!member.has_value()) continue;
      census.running.push_back(
          {unit.request->sink.get(), member->sequence.index()});
      census.running_taken.push_back(member->sequence.taken());
    }
  }
  for (const RunningUnit& unit : running_) census.held += unit.held();
  census.tokens_kept = cache_.tokens_kept();
  census.tokens_resident = residency_.tokens();
  MutexLock lock(&mutex_);
  admission_.queue().ForEach([&census](const QueuedUnit& unit) {
    for (int index : unit.sequences) {
      census.waiting.push_back({unit.request->sink.get(), index});
    }
  });
  census.waiting_tokens = admission_.queue().tokens();
  for (const std::shared_ptr<ActiveRequest>& request : admission_.displaced()) {
    census.displaced.push_back(request->sink.get());
  }
  return census;
}

absl::Status Scheduler::CheckRunning(const SchedulerCensus& census) const {
  std::map<const RequestSink*, int> left;  // Sequences that have not ended.
  for (const SchedulerCensus::Place& place : census.waiting) ++left[place.sink];
  for (const SchedulerCensus::Place& place : census.running) ++left[place.sink];
  std::set<int> held;  // KV slots.
  size_t members = 0;  // That hold one of their own.
  std::set<int> own;
  for (const RunningUnit& unit : running_) {
    const ActiveRequest& request = *unit.request;
    if (request.ended) return absl::InternalError("run: has ended and runs");
    if (unit.live() == 0) return absl::InternalError("run: nothing is left");
    if (request.unfinished != left[request.sink.get()]) {
      return absl::InternalError(
          absl::StrCat("run: ", request.unfinished, " sequences to come, ",
                       left[request.sink.get()], " run or wait"));
    }
    for (const std::optional<RunningMember>& member : unit.members) {
      if (!member.has_value()) continue;
      ++members;
      own.insert(member->kv_slot->index());
    }
    if (unit.prefix != nullptr) held.insert(unit.prefix->index());
  }
  held.insert(own.begin(), own.end());
  if (own.size() != members) {
    return absl::InternalError("run: two sequences have one KV slot");
  }
  const int used = pool_.size() - pool_.free_count();
  if (used != static_cast<int>(held.size())) {
    return absl::InternalError(absl::StrCat(
        "run: ", used, " KV slots are taken, ", held.size(), " are held"));
  }
  if (pool_.tokens_in_use() != census.held.tokens) {
    return absl::InternalError(absl::StrCat(
        "run: ", pool_.tokens_in_use(), " tokens of the KV cache are taken, ",
        census.held.tokens, " are held"));
  }
  if (census.tokens_resident > residency_.budget()) {
    return absl::InternalError(absl::StrCat("run: ", census.tokens_resident,
                                            " tokens may have memory, of ",
                                            residency_.budget()));
  }
  return absl::OkStatus();
}

absl::Status Scheduler::CheckInvariants() const {
  ALIGNSAE_RETURN_IF_ERROR(CheckRunning(TakeCensus()));
  ALIGNSAE_RETURN_IF_ERROR(cache_.CheckInvariants());
  MutexLock lock(&mutex_);
  if (busy_ == running_.empty()) {
    return absl::InternalError("run: busy is not whether something runs");
  }
  if (admission_.free() != pool_.free_amount()) {
    return absl::InternalError("run: what is free is told wrongly");
  }
  return admission_.queue().CheckInvariants();
}

}  // namespace alignsae
