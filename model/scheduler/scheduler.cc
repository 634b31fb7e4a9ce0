#include "model/scheduler/scheduler.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

// Under overload every request that is taken is one that just fits; half of
// them would be dropped after all their waiting if the prediction were taken as
// it is.
constexpr double kWaitMargin = 1.25;

absl::Status Draining() {
  return WithReason(absl::UnavailableError("server: is shutting down"),
                    kReasonDraining);
}

RejectReason RejectReasonOf(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == kReasonQueueFull) return RejectReason::kQueueFull;
  if (reason == kReasonTokenBudget) return RejectReason::kTokenBudget;
  if (reason == kReasonDraining) return RejectReason::kDraining;
  return RejectReason::kDeadline;
}

absl::Status SlowReader() {
  return WithReason(
      absl::ResourceExhaustedError("stream: must be read while it is written"),
      kReasonSlowReader);
}

// For a request that was taken, and then had to go before it ran.
absl::Status TryLater(absl::string_view sentence, absl::string_view reason) {
  return WithRetryAfter(
      WithReason(absl::ResourceExhaustedError(sentence), reason),
      absl::Seconds(1));
}

absl::Status Hopeless() {
  return TryLater(
      "deadline: must leave time to run, got too little after the wait for a "
      "slot",
      kReasonDeadline);
}

absl::Status Displaced() {
  return TryLater(
      "queue: is full, and the place is needed for a client that has fewer "
      "requests waiting",
      kReasonQueueFull);
}

// Not so short that clients hammer, not so long that they give up.
absl::Duration RetryDelay(absl::Duration predicted_wait) {
  return std::clamp(predicted_wait, absl::Milliseconds(200), absl::Seconds(10));
}

}  // namespace

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
      pool_(executor->kv_slots()),
      queue_(options.queue),
      free_slots_(pool_.slots()) {}

absl::Status Scheduler::CheckAdmission(const RequestSpec& spec,
                                       absl::Time now) {
  if (refuse_new_) return Draining();
  const int count = static_cast<int>(spec.sequences.size());
  if (spec.grouping == Grouping::kTogether && count > pool_.slots()) {
    return absl::FailedPreconditionError(
        absl::StrCat("arms: must fit into the server's ", pool_.slots(),
                     " KV slots, got ", count));
  }
  if (now >= spec.deadline) {
    return absl::DeadlineExceededError("deadline: has passed");
  }
  const absl::Duration wait =
      queue_.PredictWait(spec.client, count, free_slots_, pool_.slots());
  // One that need not wait is always tried: nothing else would tell that the
  // machine has become faster.
  const absl::Duration run = wait > absl::ZeroDuration()
                                 ? queue_.PredictRun(spec)
                                 : absl::ZeroDuration();
  if (now + wait * kWaitMargin + run > spec.deadline) {
    return WithRetryAfter(
        WithReason(
            absl::ResourceExhaustedError(absl::StrCat(
                "deadline: must leave time to wait about ",
                absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(1))),
                " for a free slot and to run about ",
                absl::FormatDuration(absl::Trunc(run, absl::Milliseconds(1))),
                ", got ",
                absl::FormatDuration(
                    absl::Trunc(spec.deadline - now, absl::Milliseconds(1))))),
            kReasonDeadline),
        RetryDelay(wait));
  }
  // Last, because it may displace others.
  absl::StatusOr<std::vector<std::shared_ptr<ActiveRequest>>> displaced =
      queue_.MakeRoom(spec);
  if (!displaced.ok()) {
    return WithRetryAfter(displaced.status(), RetryDelay(wait));
  }
  displaced_.insert(displaced_.end(), displaced->begin(), displaced->end());
  return absl::OkStatus();
}

absl::StatusOr<RequestHandle> Scheduler::Submit(
    RequestSpec spec, std::shared_ptr<RequestSink> sink) {
  const absl::Time now = clock_->Now();
  absl::Status refused;
  std::shared_ptr<ActiveRequest> request;
  int waiting = 0;
  int64_t waiting_tokens = 0;
  {
    MutexLock lock(&mutex_);
    refused = CheckAdmission(spec, now);
    if (refused.ok()) {
      request = std::make_shared<ActiveRequest>(std::move(spec),
                                                std::move(sink), now);
      queue_.Push(request);
      changed_.NotifyAll();
    }
    waiting = queue_.sequences();
    waiting_tokens = queue_.tokens();
  }
  if (!refused.ok()) {
    if (!absl::IsFailedPrecondition(refused)) {
      observer_->OnRejected(RejectReasonOf(refused));
    }
    return refused;
  }
  observer_->OnQueue(waiting, waiting_tokens);
  return RequestHandle(std::move(request), clock_);
}

absl::Status Scheduler::WhyEnd(const ActiveRequest& request, absl::Time now,
                               bool ending_all) {
  // First, because gRPC cancels a call whose deadline has passed.
  if (now >= request.spec.deadline) {
    return absl::DeadlineExceededError("deadline: has passed");
  }
  if (request.cancelled_at.load() != 0) {
    return absl::CancelledError("the client cancelled the call");
  }
  return ending_all ? Draining() : absl::OkStatus();
}

bool Scheduler::IsHopeless(const ActiveRequest& request, absl::Time now) const {
  // One that no step has passed over is tried: see CheckAdmission.
  return !request.started && request.submitted < last_admission_ &&
         now + queue_.PredictRun(request.spec) > request.spec.deadline;
}

// Running requests first: what still waits of one that ends here leaves the
// queue below, so that Admit cannot start it.
void Scheduler::SweepRunning(absl::Time now, StepReport& report) {
  bool ending_all = false;
  {
    MutexLock lock(&mutex_);
    ending_all = end_all_;
  }
  for (const Unit& unit : running_) {
    const std::shared_ptr<ActiveRequest> request = unit.request;
    if (request->ended) continue;
    absl::Status why = WhyEnd(*request, now, ending_all);
    if (why.ok() && request->sink->IsStalled(now)) why = SlowReader();
    if (!why.ok()) EndRequest(request, why, now, report);
  }
}

void Scheduler::SweepQueue(absl::Time now, StepReport& report) {
  bool ending_all = false;
  std::vector<QueuedUnit> dropped;
  std::vector<std::shared_ptr<ActiveRequest>> displaced;
  {
    MutexLock lock(&mutex_);
    ending_all = end_all_;
    displaced.swap(displaced_);
    dropped = queue_.RemoveIf(
        [&](const ActiveRequest& request)
            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
              return request.ended || !WhyEnd(request, now, ending_all).ok() ||
                     IsHopeless(request, now);
            });
    // They have not ended before they are told, below.
    busy_ = busy_ || !displaced.empty() || !dropped.empty();
  }
  for (const std::shared_ptr<ActiveRequest>& request : displaced) {
    if (request->ended) continue;
    observer_->OnRejected(RejectReason::kQueueFull);
    EndRequest(request, Displaced(), now, report);
  }
  for (const QueuedUnit& unit : dropped) {
    if (unit.request->ended) continue;
    absl::Status why = WhyEnd(*unit.request, now, ending_all);
    if (why.ok()) why = Hopeless();
    if (absl::IsDeadlineExceeded(why) || absl::IsResourceExhausted(why)) {
      observer_->OnRejected(RejectReason::kDeadline);
    }
    EndRequest(unit.request, why, now, report);
  }
}

void Scheduler::Admit(absl::Time now, StepReport& report) {
  std::vector<QueuedUnit> admitted;
  {
    MutexLock lock(&mutex_);
    int free = pool_.free_count();
    while (std::optional<QueuedUnit> unit = queue_.Pop(free)) {
      free -= static_cast<int>(unit->sequences.size());
      admitted.push_back(*std::move(unit));
    }
    free_slots_ = free;
    last_admission_ = now;
    busy_ = busy_ || !admitted.empty();
  }
  for (const QueuedUnit& unit : admitted) Start(unit, now, report);
}

void Scheduler::Start(const QueuedUnit& queued, absl::Time now,
                      StepReport& report) {
  Unit unit{queued.request, now, {}, {}, nullptr};
  std::vector<const SequenceSpec*> specs;
  for (int index : queued.sequences) {
    specs.push_back(&queued.request->spec.sequences[index]);
    // Pop() asked for no more slots than are free.
    unit.members.push_back(Member{Sequence(specs.back(), index, &env_),
                                  std::make_shared<KvSlot>(*pool_.Acquire())});
    observer_->OnQueueWait(now - queued.request->submitted);
    ++report.admitted;
  }
  unit.plan = PlanFork(specs, *env_.catalog);
  if (specs.size() > 1) {
    unit.prefix = unit.members.front()->slot;
    report.forks += static_cast<int>(specs.size()) - 1;
  }
  running_.push_back(std::move(unit));
}

int Scheduler::Unit::live() const {
  return static_cast<int>(
      std::count_if(members.begin(), members.end(),
                    [](const auto& member) { return member.has_value(); }));
}

size_t Scheduler::Unit::first_live() const {
  return std::find_if(members.begin(), members.end(),
                      [](const auto& member) { return member.has_value(); }) -
         members.begin();
}

int Scheduler::Unit::prompt_length() const {
  return members[first_live()]->sequence.prompt_length();
}

int Scheduler::Unit::prompt_left() const {
  const size_t first = first_live();
  return first < members.size() ? members[first]->sequence.prompt_left() : 0;
}

void Scheduler::AddRows(Unit& unit, int chunk, Batch& batch) {
  for (size_t i = 0; i < unit.members.size(); ++i) {
    if (!unit.members[i].has_value()) continue;
    const Member& member = *unit.members[i];
    batch.rows.push_back(member.sequence.NextRow(member.slot->index(), chunk));
    if (unit.prefix != nullptr) {
      batch.rows.back().fork =
          StepFork{unit.prefix->index(), unit.plan.site, unit.plan.position};
    }
    batch.owners.emplace_back(&unit, i);
  }
}

Scheduler::Batch Scheduler::BuildBatch(StepReport& report) {
  Batch batch;
  const int whole_budget = options_.max_prompt_tokens_per_step;
  int budget = whole_budget;
  for (Unit& unit : running_) {
    const int live = unit.live();
    if (live == 0) continue;
    const int left = unit.prompt_left();
    if (left == 0) {
      AddRows(unit, 0, batch);
      continue;
    }
    if (budget == 0) continue;
    const int begin = unit.prompt_length() - left;
    const int end =
        unit.plan.EndWithin(begin, unit.prompt_length(), live, budget);
    const int cost = unit.plan.Cost(begin, end, live);
    // Many variants of one position may pass the budget, but only alone.
    if (cost > budget && budget < whole_budget) continue;
    AddRows(unit, end - begin, batch);
    budget = std::max(0, budget - cost);
    report.prompt_tokens += cost;
    report.prefix_tokens_saved += (end - begin) * live - cost;
  }
  report.rows = static_cast<int>(batch.rows.size());
  return batch;
}

absl::Status Scheduler::TakeProgress(ActiveRequest& request, Member& member,
                                     Sequence::Progress& progress,
                                     absl::Time now, StepReport& report) {
  for (RequestEvent& event : progress.events) {
    if (std::holds_alternative<TokenEvent>(event)) {
      ++report.generated_tokens;
      if (member.sequence.generated_tokens() == 1) {
        member.first_token = now;
        observer_->OnFirstToken(now - request.submitted);
      }
      member.last_token = now;
    }
    if (!request.sink->Deliver(std::move(event))) return SlowReader();
  }
  return absl::OkStatus();
}

void Scheduler::TakeResults(const Batch& batch, std::vector<RowResult> results,
                            absl::Time now, StepReport& report) {
  for (size_t r = 0; r < batch.rows.size(); ++r) {
    auto [unit, index] = batch.owners[r];
    // The other arm of the request may have ended both in this very step.
    if (!unit->members[index].has_value()) continue;
    Member& member = *unit->members[index];
    const std::shared_ptr<ActiveRequest> request = unit->request;
    absl::StatusOr<Sequence::Progress> progress =
        r < results.size()
            ? member.sequence.Consume(batch.rows[r], std::move(results[r]))
            : absl::InternalError("step: results are missing");
    absl::Status status = progress.status();
    if (status.ok()) {
      // The other variants of a fork read the same prompt.
      if (r == 0 || batch.owners[r - 1].first != unit) {
        for (const ConceptReading& reading : progress->prompt_readings) {
          observer_->OnPromptReading(reading);
        }
      }
      status = TakeProgress(*request, member, *progress, now, report);
    }
    if (!status.ok()) {
      EndRequest(request, status, now, report);
    } else if (progress->finished.has_value()) {
      FinishMember(*unit, index, *progress->finished, now, report);
    }
  }
}

void Scheduler::FinishMember(Unit& unit, size_t index, FinishReason reason,
                             absl::Time now, StepReport& report) {
  const Member& member = *unit.members[index];
  const int tokens = member.sequence.generated_tokens();
  if (tokens > 1) {
    observer_->OnTokenTime((member.last_token - member.first_token) /
                           (tokens - 1));
  }
  {
    MutexLock lock(&mutex_);
    queue_.RecordService(now - unit.started, tokens);
  }
  Retire(unit, index, reason, report);
  if (--unit.request->unfinished == 0) {
    unit.request->ended = true;
    unit.request->sink->Deliver(RequestDone{absl::OkStatus()});
  }
}

void Scheduler::Retire(Unit& unit, size_t index, FinishReason reason,
                       StepReport& report) {
  const ActiveRequest& request = *unit.request;
  std::optional<Member>& member = unit.members[index];
  const int sequence = member->sequence.index();
  SequenceFinished finished = member->sequence.Finish(reason);
  member.reset();  // Frees the slot, unless others of the fork read it.
  if (unit.live() == 0) unit.prefix.reset();
  ++report.finished;
  const std::vector<Intervention>& interventions =
      *request.spec.sequences[sequence].interventions;
  if (!interventions.empty()) {
    observer_->OnSteered(interventions, finished.receipts);
  }
  request.sink->Deliver(std::move(finished));
}

void Scheduler::EndRequest(const std::shared_ptr<ActiveRequest>& request,
                           const absl::Status& status, absl::Time now,
                           StepReport& report) {
  if (request->ended) return;
  request->ended = true;
  bool ran = false;
  for (Unit& unit : running_) {
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

void Scheduler::Publish(const StepReport& report) {
  int waiting = 0;
  int64_t waiting_tokens = 0;
  {
    MutexLock lock(&mutex_);
    free_slots_ = pool_.free_count();
    busy_ = !running_.empty();
    changed_.NotifyAll();
    waiting = queue_.sequences();
    waiting_tokens = queue_.tokens();
  }
  observer_->OnQueue(waiting, waiting_tokens);
  observer_->OnStep(report);
}

StepReport Scheduler::RunOneStep() {
  StepReport report;
  const absl::Time start = clock_->Now();
  SweepRunning(start, report);
  SweepQueue(start, report);
  Admit(start, report);
  const Batch batch = BuildBatch(report);
  if (!batch.rows.empty()) {
    const absl::Time before = clock_->Now();
    std::vector<RowResult> results = executor_->Step(batch.rows);
    const absl::Time after = clock_->Now();
    report.duration = after - before;
    TakeResults(batch, std::move(results), after, report);
  }
  running_.erase(
      std::remove_if(running_.begin(), running_.end(),
                     [](const Unit& unit) { return unit.live() == 0; }),
      running_.end());
  report.slots_in_use = pool_.slots() - pool_.free_count();
  Publish(report);
  return report;
}

bool Scheduler::WaitForWork() {
  if (!running_.empty()) return true;
  MutexLock lock(&mutex_);
  while (queue_.empty() && displaced_.empty() && !end_all_) {
    changed_.Wait(&mutex_);
  }
  return !queue_.empty() || !displaced_.empty();
}

void Scheduler::RefuseNew() {
  MutexLock lock(&mutex_);
  refuse_new_ = true;
}

bool Scheduler::WaitUntilIdle(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  MutexLock lock(&mutex_);
  while (!queue_.empty() || !displaced_.empty() || busy_) {
    const absl::Duration left = end - absl::Now();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

void Scheduler::EndAll() {
  MutexLock lock(&mutex_);
  refuse_new_ = true;
  end_all_ = true;
  changed_.NotifyAll();
}

}  // namespace alignsae
