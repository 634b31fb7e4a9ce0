#include "model/scheduler/scheduler.h"

#include <algorithm>

#include "model/base/dcheck.h"
#include "model/scheduler/endings.h"
#include "model/scheduler/prefix_rules.h"

namespace alignsae {

void RequestHandle::Cancel() const {
  int64_t expected = 0;
  request_->cancelled_at.compare_exchange_strong(
      expected, absl::ToUnixNanos(clock_->Now()));
}

Scheduler::Scheduler(const SchedulerOptions& options, StepExecutor* executor,
                     const Clock* clock, SequenceEnv env,
                     SchedulerObserver* observer)
    : options_(options),
      executor_(executor),
      clock_(clock),
      env_(std::move(env)),
      observer_(observer),
      pool_(executor->kv_slots(), executor->kv_tokens()),
      cache_(&pool_, options.prefix_cache_tokens),
      residency_(pool_.size(), pool_.tokens()),
      admission_(options.queue, pool_.free_amount(), options.slots) {
  // What was run to warm up.
  for (int slot = 0; slot < pool_.size(); ++slot) executor_->TrimKv(slot, {});
}

absl::StatusOr<RequestHandle> Scheduler::Submit(
    RequestSpec spec, std::shared_ptr<RequestSink> sink) {
  const absl::Time now = clock_->Now();
  absl::StatusOr<std::shared_ptr<ActiveRequest>> request;
  {
    MutexLock lock(&mutex_);
    request = admission_.Take(std::move(spec), std::move(sink), now);
    if (request.ok()) {
      changed_.NotifyAll();
      TellQueue();
    }
  }
  if (!request.ok()) {
    if (!absl::IsFailedPrecondition(request.status())) {
      observer_->OnRejected(RejectReasonOf(request.status()));
    }
    return request.status();
  }
  return RequestHandle(*std::move(request), clock_);
}

// Before SweepQueue: what still waits of a request that ends here leaves the
// queue there, so that it cannot start.
void Scheduler::SweepRunning(absl::Time now, StepReport& report) {
  bool ending_all = false;
  {
    MutexLock lock(&mutex_);
    ending_all = end_all_;
  }
  for (const RunningUnit& unit : running_) {
    const std::shared_ptr<ActiveRequest> request = unit.request;
    if (request->ended) continue;
    absl::Status why = WhyEnd(*request, now, ending_all);
    if (why.ok() && request->sink->IsStalled(now)) why = SlowReader();
    if (!why.ok()) EndRequest(request, why, now, report);
  }
  HeldSlots held;
  for (const RunningUnit& unit : running_) {
    held.Add(unit.request->spec, unit.held());
  }
  MutexLock lock(&mutex_);
  admission_.SetHeld(std::move(held));
}

void Scheduler::SweepQueue(absl::Time now, StepReport& report) {
  std::vector<Admission::Dropped> dropped;
  {
    MutexLock lock(&mutex_);
    dropped = admission_.Sweep(now, end_all_);
    busy_ = busy_ || !dropped.empty();  // Until they are told, below.
  }
  for (const Admission::Dropped& drop : dropped) {
    if (absl::IsDeadlineExceeded(drop.why) ||
        absl::IsResourceExhausted(drop.why)) {
      observer_->OnRejected(RejectReasonOf(drop.why));
    }
    EndRequest(drop.request, drop.why, now, report);
  }
}

void Scheduler::StartWaiting(absl::Time now, StepReport& report) {
  std::vector<QueuedUnit> starting;
  std::vector<UnitPlaces> places;
  const auto take_places = [&](const QueuedUnit& unit) {
    places.push_back(TakePlaces(unit, *env_.catalog, cache_));
    return places.back().tokens_saved();
  };
  {
    MutexLock lock(&mutex_);
    starting = admission_.GiveOut(pool_.free_amount(), now, take_places);
    busy_ = busy_ || !starting.empty();
  }
  FillBeginnings(places);
  BoundMemory(places);
  for (size_t i = 0; i < starting.size(); ++i) {
    Start(starting[i], std::move(places[i]), now, report);
  }
  if (options_.slots.kept > 0) share_.Choose(running_);
}

void Scheduler::FillBeginnings(std::vector<UnitPlaces>& places) {
  absl::Status copied;
  for (UnitPlaces& unit : places) {
    KvCopy& beginning = unit.beginning;
    if (beginning.positions == 0) continue;
    if (copied.ok()) copied = executor_->CopyKv(beginning);
    if (copied.ok()) continue;
    // It is computed. Who was to copy from here is behind it and does so too.
    cache_.Holds(beginning.to, {});
    beginning.positions = 0;
  }
}

void Scheduler::BoundMemory(const std::vector<UnitPlaces>& places) {
  for (const UnitPlaces& unit : places) {
    for (const KvSlot& kv_slot : unit.kv_slots) {
      residency_.Use(kv_slot.index(), kv_slot.writes());
    }
  }
  residency_.TrimToBudget(
      [this](int slot) { return cache_.Needed(slot); },
      [this](int slot, const KvRange& keep) { executor_->TrimKv(slot, keep); });
}

void Scheduler::Start(const QueuedUnit& queued, UnitPlaces places,
                      absl::Time now, StepReport& report) {
  ALIGNSAE_DCHECK(!queued.request->ended);
  ALIGNSAE_DCHECK(places.kv_slots.size() == queued.sequences.size());
  RunningUnit unit{queued.request, now, {}, std::nullopt, nullptr};
  std::vector<const SequenceSpec*> specs;
  for (size_t i = 0; i < queued.sequences.size(); ++i) {
    const int index = queued.sequences[i];
    specs.push_back(&queued.request->spec.sequences[index]);
    unit.members.push_back(RunningMember{
        Sequence(specs.back(), index, &env_, places.beginning.positions),
        std::make_shared<KvSlot>(std::move(places.kv_slots[i]))});
    observer_->OnQueueWait(now - queued.request->submitted);
    ++report.admitted;
  }
  unit.first_slot = places.beginning.to;
  unit.unedited = UneditedPositions(*specs.front());
  if (specs.size() > 1) {
    unit.prefix = unit.members.front()->kv_slot;
    unit.fork = PlanFork(specs, *env_.catalog);
    unit.fork->kv_slot = unit.first_slot;
    unit.unedited = unit.fork->position;
    report.forks += static_cast<int>(specs.size()) - 1;
  }
  running_.push_back(std::move(unit));
}

absl::Status Scheduler::Deliver(ActiveRequest& request, RunningMember& member,
                                Sequence::Progress& progress, absl::Time now,
                                StepReport& report) {
  if (member.sequence.is_follower()) return absl::OkStatus();
  for (RequestEvent& event : progress.events) {
    if (std::holds_alternative<TokenEvent>(event)) {
      ++report.generated_tokens;
      if (member.sequence.generated_tokens() == 1) {
        member.first_token = now;
        observer_->OnFirstToken(now - request.submitted);
      }
      member.last_token = now;
    } else if (const auto* trace = std::get_if<TraceEvent>(&event)) {
      observer_->OnGeneratedReading(trace->reading);
    }
    if (!request.sink->Deliver(std::move(event))) return SlowReader();
  }
  return absl::OkStatus();
}

void Scheduler::TakeResults(const StepBatch& batch,
                            std::vector<RowResult> results, absl::Time now,
                            StepReport& report) {
  RowResult missing;  // An executor owes a result for each row.
  missing.status = absl::InternalError("step: results are missing");
  results.resize(batch.rows.size(), missing);
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const int follower = batch.rows[r].reference;
    if (follower < 0 || !results[r].sampled.has_value()) continue;
    results[follower].sampled = results[r].sampled;
  }
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    const auto [unit, index] = batch.owners[r];
    // Another row of the request may have ended all of it in this very step.
    if (!unit->members[index].has_value()) continue;
    TakeResult(batch, r, std::move(results[r]), now, report);
  }
}

void Scheduler::TakeResult(const StepBatch& batch, size_t r, RowResult result,
                           absl::Time now, StepReport& report) {
  const size_t index = batch.owners[r].second;
  RunningUnit& unit = *batch.owners[r].first;
  RunningMember& member = *unit.members[index];
  absl::StatusOr<Sequence::Progress> progress =
      member.sequence.Consume(batch.rows[r], std::move(result));
  if (!progress.ok()) {
    EndRequest(unit.request, progress.status(), now, report);
    return;
  }
  if (batch.rows[r].start < batch.rows[r].prompt_length) {
    TellCached(unit, member);
  }
  // The other variants of a fork read the same prompt.
  if (r == 0 || batch.owners[r - 1].first != &unit) {
    for (const ConceptReading& reading : progress->prompt_readings) {
      observer_->OnPromptReading(reading);
    }
  }
  const absl::Status delivered =
      Deliver(*unit.request, member, *progress, now, report);
  if (!delivered.ok()) {
    EndRequest(unit.request, delivered, now, report);
  } else if (progress->finished.has_value()) {
    FinishMember(unit, index, *progress->finished, now, report);
  }
}

void Scheduler::TellCached(const RunningUnit& unit,
                           const RunningMember& member) {
  if (member.kv_slot->index() != unit.first_slot) return;
  cache_.Holds(unit.first_slot, member.sequence.CachedTokens(unit.unedited));
}

void Scheduler::FinishMember(RunningUnit& unit, size_t index,
                             FinishReason reason, absl::Time now,
                             StepReport& report) {
  const RunningMember& member = *unit.members[index];
  const int sequence = member.sequence.index();
  const int tokens = member.sequence.generated_tokens();
  if (tokens > 1) {
    observer_->OnTokenTime((member.last_token - member.first_token) /
                           (tokens - 1));
  }
  {
    MutexLock lock(&mutex_);
    admission_.RecordService(unit.request->spec, now - unit.started, tokens);
  }
  Retire(unit, index, reason, report);
  ALIGNSAE_DCHECK(!unit.request->ended && unit.request->unfinished > 0);
  --unit.request->unfinished;
  for (size_t i = 0; i < unit.members.size(); ++i) {
    const std::optional<RunningMember>& other = unit.members[i];
    if (!other.has_value() || !other->sequence.is_follower() ||
        other->sequence.leader() != sequence) {
      continue;
    }
    Retire(unit, i, reason, report);
    --unit.request->unfinished;
  }
  if (unit.request->unfinished == 0) {
    unit.request->ended = true;
    unit.request->sink->Deliver(RequestDone{absl::OkStatus()});
  }
}

void Scheduler::Retire(RunningUnit& unit, size_t index, FinishReason reason,
                       StepReport& report) {
  const ActiveRequest& request = *unit.request;
  std::optional<RunningMember>& member = unit.members[index];
  const int sequence = member->sequence.index();
  const bool told = !member->sequence.is_follower();
  TellCached(unit, *member);
  SequenceFinished finished = member->sequence.Finish(reason);
  member.reset();  // Frees the KV slot, unless others of the fork read it.
  if (unit.live() == 0) {
    unit.prefix.reset();
    cache_.Settle(unit.first_slot);
  }
  ++report.finished;
  const std::vector<Intervention>& interventions =
      *request.spec.sequences[sequence].interventions;
  if (!interventions.empty()) {
    observer_->OnSteered(interventions, finished.receipts);
  }
  if (told) request.sink->Deliver(std::move(finished));
}

void Scheduler::EndRequest(const std::shared_ptr<ActiveRequest>& request,
                           const absl::Status& status, absl::Time now,
                           StepReport& report) {
  if (request->ended) return;
  request->ended = true;
  bool ran = false;
  for (RunningUnit& unit : running_) {
    if (unit.request != request) continue;
    for (size_t i = 0; i < unit.members.size(); ++i) {
      if (!unit.members[i].has_value()) continue;
      ran = true;
      Retire(unit, i, FinishReason::kCancelled, report);
    }
  }
  if (const int64_t cancelled = request->cancelled_at.load();
      ran && cancelled != 0) {
    // A cancel may come after this step began.
    observer_->OnCancelledFree(
        std::max(absl::ZeroDuration(), now - absl::FromUnixNanos(cancelled)));
  }
  request->sink->Deliver(RequestDone{status});
}

void Scheduler::TellQueue() {
  observer_->OnQueue(admission_.queue().sequences(),
                     admission_.queue().tokens());
}

void Scheduler::Publish(const StepReport& report) {
  {
    MutexLock lock(&mutex_);
    admission_.SetFree(pool_.free_amount());
    busy_ = !running_.empty();
    changed_.NotifyAll();
    TellQueue();
  }
  observer_->OnStep(report);
}

StepReport Scheduler::RunOneStep() {
  StepReport report;
  const absl::Time start = clock_->Now();
  SweepRunning(start, report);
  SweepQueue(start, report);
  StartWaiting(start, report);
  const StepBatch batch =
      BuildBatch(running_, pace_.Tokens(options_.max_prompt_tokens_per_step));
  report.rows = static_cast<int>(batch.rows.size());
  report.prompt_tokens = batch.prompt_tokens;
  report.prefix_tokens_saved = batch.prefix_tokens_saved;
  if (!batch.rows.empty()) {
    const absl::Time before = clock_->Now();
    std::vector<RowResult> results = executor_->Step(batch.rows);
    const absl::Time after = clock_->Now();
    report.duration = after - before;
    share_.Took(report.duration);
    pace_.Took(report.duration, report.prompt_tokens, report.rows);
    TakeResults(batch, std::move(results), after, report);
  }
  running_.erase(
      std::remove_if(running_.begin(), running_.end(),
                     [](const RunningUnit& unit) { return unit.live() == 0; }),
      running_.end());
  report.kv_slots_in_use = pool_.size() - pool_.free_count();
  report.kv_tokens_in_use = pool_.tokens_in_use();
  report.prefix = cache_.TakeReport();
  Publish(report);
  return report;
}

bool Scheduler::WaitForWork() {
  if (!running_.empty()) return true;
  MutexLock lock(&mutex_);
  while (admission_.empty() && !end_all_) changed_.Wait(&mutex_);
  return !admission_.empty();
}

bool Scheduler::HasWork() const {
  if (!running_.empty()) return true;
  MutexLock lock(&mutex_);
  return !admission_.empty();
}

void Scheduler::RefuseNew() {
  MutexLock lock(&mutex_);
  admission_.RefuseNew();
}

bool Scheduler::WaitUntilIdle(absl::Duration timeout) {
  const absl::Time end = clock_->Now() + timeout;
  MutexLock lock(&mutex_);
  while (!admission_.empty() || busy_) {
    const absl::Duration left = end - clock_->Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

void Scheduler::EndAll() {
  MutexLock lock(&mutex_);
  admission_.RefuseNew();
  end_all_ = true;
  changed_.NotifyAll();
}

}  // namespace alignsae
