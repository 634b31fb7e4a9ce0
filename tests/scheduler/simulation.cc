#include "tests/scheduler/simulation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/scheduler/scheduler_fixture.h"

namespace alignsae {
namespace {

constexpr int kTicks = 60;

std::string NameOf(const absl::Status& status) {
  return absl::StatusCodeToString(status.code());
}

// What greedy decoding answers: sometimes the end of the text.
int32_t Next(const std::vector<int32_t>& ids) {
  const int32_t token = FakeStepExecutor::NextToken(ids);
  return token <= 5 ? kEos : token;
}

std::vector<int32_t> Answer(const SequenceSpec& sequence) {
  std::vector<int32_t> ids = sequence.prompt;
  std::vector<int32_t> answer;
  while (static_cast<int>(answer.size()) < sequence.max_new_tokens) {
    answer.push_back(Next(ids));
    ids.push_back(answer.back());
    if (answer.back() == kEos && !sequence.ignore_eos) break;
  }
  return answer;
}

std::map<std::string, std::vector<SchedulerCensus::Place>> ByClient(
    const std::vector<SchedulerCensus::Place>& places) {
  std::map<std::string, std::vector<SchedulerCensus::Place>> clients;
  for (const SchedulerCensus::Place& place : places) {
    const auto* sink = static_cast<const SimulatedSink*>(place.sink);
    clients[sink->spec.client].push_back(place);
  }
  return clients;
}

const SequenceSpec& SequenceOf(const SchedulerCensus::Place& place) {
  return static_cast<const SimulatedSink*>(place.sink)
      ->spec.sequences[place.sequence];
}

}  // namespace

bool SimulatedSink::Deliver(RequestEvent event) {
  if (done.has_value()) broken = "an event after RequestDone";
  if (auto* end = std::get_if<RequestDone>(&event)) {
    done = end->status;
    return true;
  }
  if (auto* end = std::get_if<SequenceFinished>(&event)) {
    if (!finished.emplace(end->sequence, end->reason).second) {
      broken = "a sequence finished twice";
    }
    if (end->generated_tokens !=
        static_cast<int>(tokens[end->sequence].size())) {
      broken = "a sequence's tokens are not those that were told";
    }
    return true;
  }
  const auto* token = std::get_if<TokenEvent>(&event);
  if (token == nullptr) return true;
  if (finished.count(token->sequence) > 0) broken = "a token after the end";
  tokens[token->sequence].push_back(token->token.token);
  return ++token_events < accept;
}

void Simulation::Observer::OnQueue(int sequences, int64_t tokens) {
  waiting = sequences;
  waiting_tokens = tokens;
}

void Simulation::Observer::OnStep(const StepReport& report) {
  admitted += report.admitted;
  finished += report.finished;
  generated += report.generated_tokens;
  last = report;
}

Simulation::Simulation(uint64_t seed)
    : rng_(seed),
      options_(RandomOptions()),
      executor_(Between(1, 6)),
      scheduler_(options_, &executor_, &clock_,
                 SequenceEnv{TwoCheckpoints(), &FakeTokenBytes}, &observer_) {
  executor_.keep_steps = false;
  executor_.next_token = &Next;
  executor_.before_step = [this] {
    clock_.Advance(absl::Milliseconds(Between(0, 20)));
  };
  executor_.row_status = [this](const StepRow&) {
    return error_in_ > 0 && OneIn(error_in_) ? absl::OutOfRangeError("broken")
                                             : absl::OkStatus();
  };
}

SchedulerOptions Simulation::RandomOptions() {
  SchedulerOptions options;
  options.queue.max_sequences = Between(1, 14);
  options.queue.max_tokens = Between(10, 250);
  options.max_prompt_tokens_per_step = Between(1, 16);
  return options;
}

SequenceSpec Simulation::RandomSequence(const std::vector<int32_t>& prompt) {
  SequenceSpec sequence;
  sequence.prompt = prompt;
  sequence.max_new_tokens = OneIn(5) ? 0 : Between(1, 9);
  sequence.ignore_eos = OneIn(2);
  std::vector<Intervention> interventions;
  const int last = static_cast<int>(prompt.size()) - 1;
  if (OneIn(2)) {
    Intervention edit;
    edit.checkpoint = Between(0, 1);
    edit.positions.prompt = {Between(0, last)};
    edit.positions.generated = OneIn(2);
    interventions.push_back(edit);
  }
  sequence.interventions =
      std::make_shared<const std::vector<Intervention>>(interventions);
  if (sequence.max_new_tokens == 0 || OneIn(3)) {
    sequence.observations.push_back({Between(0, 1), {Between(0, last)}, false});
  }
  return sequence;
}

RequestSpec Simulation::RandomRequest() {
  RequestSpec spec;
  spec.grouping = static_cast<Grouping>(Below(3));
  std::vector<int32_t> prompt;
  const int count = OneIn(2) ? 1 : Between(1, 6);
  const bool readout = OneIn(6);
  for (int i = 0; i < count; ++i) {
    if (prompt.empty() || spec.grouping == Grouping::kSeparate) {
      prompt.assign(Between(1, 12), 0);
      for (int32_t& id : prompt) id = Between(1, 90);
    }
    spec.sequences.push_back(RandomSequence(prompt));
    // Variants are all read, or all continued.
    if (spec.grouping != Grouping::kSeparate && !readout) {
      int& tokens = spec.sequences.back().max_new_tokens;
      tokens = std::max(1, tokens);
    }
  }
  spec.client = OneIn(4) ? absl::StrCat("new", names_++)
                         : absl::StrCat("client", Below(4));
  if (OneIn(3)) {
    spec.deadline = clock_.Now() + absl::Milliseconds(Between(-5, 400));
  }
  return spec;
}

void Simulation::Expect(bool holds, const std::string& what) {
  if (!holds && ok()) broken_ = absl::StrCat("tick ", tick_, ": ", what);
}

void Simulation::CheckRefusal(const absl::Status& refused,
                              const SchedulerCensus& before) {
  Expect(scheduler_.TakeCensus() == before,
         absl::StrCat("a refusal changed something: ", refused.ToString()));
  switch (refused.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kFailedPrecondition:
      break;
    case absl::StatusCode::kUnavailable:
      Expect(draining_, "refused as draining, and does not drain");
      break;
    default:
      Expect(false, absl::StrCat("refused as ", NameOf(refused)));
  }
}

void Simulation::Submit(RequestSpec spec) {
  const SchedulerCensus before = scheduler_.TakeCensus();
  auto sink = std::make_shared<SimulatedSink>(spec);
  if (OneIn(8)) sink->accept = Between(1, 6);
  const absl::StatusOr<RequestHandle> handle =
      scheduler_.Submit(std::move(spec), sink);
  if (!handle.ok()) {
    CheckRefusal(handle.status(), before);
    Expect(!sink->done.has_value(), "a refused request was told of its end");
    return;
  }
  Expect(!draining_, "taken though it drains");
  submitted_.push_back({std::move(sink), *handle});
}

void Simulation::SubmitToASleeper() {
  std::thread sleeper([this] { scheduler_.WaitForWork(); });
  if (OneIn(2)) absl::SleepFor(absl::Microseconds(100));
  RequestSpec spec;
  spec.client = "waker";
  spec.sequences.push_back(RandomSequence({1, 2}));
  if (draining_ || OneIn(30)) {
    draining_ = ending_ = true;
    scheduler_.EndAll();
  } else {
    Submit(std::move(spec));
  }
  sleeper.join();
}

void Simulation::BreakSomething() {
  if (submitted_.empty()) return;
  const Submitted& victim = submitted_[Below(submitted_.size())];
  switch (Below(4)) {
    case 0:
    case 1:
      victim.handle.Cancel();
      break;
    case 2:
      victim.sink->stalled = true;
      break;
    default:
      error_in_ = OneIn(2) ? 0 : Between(3, 40);
      executor_.lose_results = OneIn(4) ? Between(1, 2) : 0;
  }
}

void Simulation::Act() {
  if (!scheduler_.HasWork() && !ending_ && OneIn(8)) {
    SubmitToASleeper();
  } else if (OneIn(3)) {
    BreakSomething();
  } else {
    Submit(RandomRequest());
  }
  if (OneIn(4)) clock_.Advance(absl::Milliseconds(Between(1, 60)));
  if (tick_ > kTicks / 2 && OneIn(60)) {
    draining_ = true;
    scheduler_.RefuseNew();
  }
  if (tick_ > kTicks / 2 && OneIn(90)) {
    draining_ = ending_ = true;
    scheduler_.EndAll();
  }
}

void Simulation::Step() {
  const SchedulerCensus before = scheduler_.TakeCensus();
  // Sleeps for ever if it does not see that there is work.
  if (scheduler_.HasWork()) {
    Expect(scheduler_.WaitForWork(),
           "work, and WaitForWork says there is none");
  }
  scheduler_.RunOneStep();
  Check();
  if (ok()) CheckTurns(before, scheduler_.TakeCensus());
}

void Simulation::StopFaults() {
  error_in_ = 0;
  executor_.lose_results = 0;
  for (const Submitted& request : submitted_) {
    request.sink->stalled = false;
    request.sink->accept = 1 << 30;
  }
}

void Simulation::ComeToRest() {
  StopFaults();
  int64_t steps = 10;  // Each moves a sequence by a token, or tells an end.
  for (const Submitted& request : submitted_) {
    if (request.sink->done.has_value()) continue;
    steps += 2 + TokensOf(request.sink->spec);
  }
  for (; steps > 0 && ok() && scheduler_.HasWork(); --steps) Step();
  Expect(!scheduler_.HasWork(), "does not come to rest");
  for (const Submitted& request : submitted_) {
    Expect(request.sink->done.has_value(), "a request never ends");
  }
  Expect(observer_.last.kv_slots_in_use == 0, "a KV slot is held at rest");
  Expect(scheduler_.WaitUntilIdle(absl::ZeroDuration()), "is not idle at rest");
  if (ending_) Expect(!scheduler_.WaitForWork(), "goes on after its end");
}

std::string Simulation::Run() {
  for (tick_ = 0; tick_ < kTicks && ok(); ++tick_) {
    for (uint64_t actions = Below(4); actions > 0 && ok(); --actions) {
      const SchedulerCensus before = scheduler_.TakeCensus();
      Act();
      Check();
      if (ok()) CheckTurns(before, scheduler_.TakeCensus());
    }
    if (ok() && !OneIn(5)) Step();
  }
  if (ok()) ComeToRest();
  return broken_;
}

void Simulation::Check() {
  const SchedulerCensus census = scheduler_.TakeCensus();
  const absl::Status books = scheduler_.CheckInvariants();
  Expect(books.ok(), books.ToString());
  for (const Submitted& request : submitted_) {
    Expect(request.sink->broken.empty(), request.sink->broken);
  }
  Expect(!testing::Test::HasFailure(), "the executor was misused");
  CheckPlaces(census);
  CheckCounters(census);
  CheckAnswers();
  const bool work = !census.waiting.empty() || !census.running.empty() ||
                    !census.displaced.empty();
  Expect(scheduler_.HasWork() == work, "HasWork is not whether there is work");
}

// Every sequence of a request that has not ended is in one place.
void Simulation::CheckPlaces(const SchedulerCensus& census) {
  std::set<std::pair<const RequestSink*, int>> places;
  for (const auto* list : {&census.waiting, &census.running}) {
    for (const SchedulerCensus::Place& place : *list) {
      Expect(places.emplace(place.sink, place.sequence).second,
             "a sequence is in two places");
    }
  }
  for (const SchedulerCensus::Place& place : census.running) {
    Expect(!static_cast<const SimulatedSink*>(place.sink)->done.has_value(),
           "a request runs that has ended");
  }
  const std::set<const RequestSink*> displaced(census.displaced.begin(),
                                               census.displaced.end());
  Expect(displaced.size() == census.displaced.size(), "displaced twice");
  for (const Submitted& request : submitted_) {
    const SimulatedSink& sink = *request.sink;
    if (sink.done.has_value() || displaced.count(&sink) > 0) continue;
    for (int i = 0; i < static_cast<int>(sink.spec.sequences.size()); ++i) {
      Expect(places.count({&sink, i}) + sink.finished.count(i) == 1,
             "a sequence of a request is nowhere, or is told of as finished "
             "and goes on");
    }
  }
}

void Simulation::CheckCounters(const SchedulerCensus& census) {
  const int waiting = static_cast<int>(census.waiting.size());
  Expect(waiting <= options_.queue.max_sequences, "too many sequences wait");
  int64_t finished = 0;
  int64_t generated = 0;
  std::set<const RequestSink*> requests;
  for (const SchedulerCensus::Place& place : census.waiting) {
    requests.insert(place.sink);
  }
  Expect(census.waiting_tokens <= options_.queue.max_tokens ||
             requests.size() <= 1,
         "too many tokens wait");
  for (const Submitted& request : submitted_) {
    finished += static_cast<int64_t>(request.sink->finished.size());
    generated += request.sink->token_events;
  }
  Expect(observer_.finished == finished, "ends are counted wrongly");
  Expect(observer_.generated == generated, "tokens are counted wrongly");
  Expect(observer_.admitted - observer_.finished ==
             static_cast<int64_t>(census.running.size()),
         "starts are counted wrongly");
  Expect(observer_.waiting == waiting &&
             observer_.waiting_tokens == census.waiting_tokens,
         "the queue is told wrongly");
}

// Whatever happens around it, an answer is the one that its prompt alone gives.
void Simulation::CheckAnswers() {
  for (const Submitted& request : submitted_) {
    const SimulatedSink& sink = *request.sink;
    if (!sink.done.has_value() || !settled_.insert(&sink).second) continue;
    if (!sink.done->ok()) continue;
    for (int i = 0; i < static_cast<int>(sink.spec.sequences.size()); ++i) {
      Expect(sink.finished.count(i) == 1, "done before all have finished");
      const auto told = sink.tokens.find(i);
      const std::vector<int32_t> answer = Answer(sink.spec.sequences[i]);
      Expect(
          told == sink.tokens.end() ? answer.empty() : told->second == answer,
          "an answer is not its prompt's");
    }
  }
}

// The bound that request_queue.h states.
void Simulation::CheckTurns(const SchedulerCensus& before,
                            const SchedulerCensus& after) {
  int64_t largest = 0;  // A request that waited in this step.
  for (const SchedulerCensus::Place& place : before.waiting) {
    const auto* sink = static_cast<const SimulatedSink*>(place.sink);
    largest = std::max(largest, TokensOf(sink->spec));
  }
  std::set<std::pair<const RequestSink*, int>> still;
  for (const SchedulerCensus::Place& place : after.waiting) {
    still.emplace(place.sink, place.sequence);
  }
  std::map<std::string, int64_t> given;  // Tokens, by client.
  int64_t all = 0;
  for (const SchedulerCensus::Place& place : before.waiting) {
    if (still.count({place.sink, place.sequence}) > 0) continue;
    const auto* sink = static_cast<const SimulatedSink*>(place.sink);
    const bool runs =
        std::count(after.running.begin(), after.running.end(), place) > 0;
    if (!runs && sink->finished.count(place.sequence) == 0) continue;  // Ended.
    const int64_t tokens =
        static_cast<int64_t>(SequenceOf(place).prompt.size()) +
        SequenceOf(place).max_new_tokens;
    given[sink->spec.client] += tokens;
    all += tokens;
  }
  const auto waiting = ByClient(after.waiting);
  const auto clients = static_cast<int64_t>(
      std::max(waiting.size(), ByClient(before.waiting).size()));
  std::map<std::string, Wait> waits;
  for (const auto& [name, places] : waiting) {
    const auto known = waits_.find(name);
    Wait wait;
    if (known != waits_.end()) wait = known->second;
    if (known == waits_.end() || given.count(name) > 0) {
      // Given something just now, it may have come to the end of its turn.
      wait = {given.count(name) == 0, clients, 0, 0};
    } else {
      wait.others += all;
      wait.largest = std::max(wait.largest, largest);
      if (!wait.fresh) wait.clients = std::max(wait.clients, clients);
      Expect(
          wait.others <= std::max<int64_t>(0, wait.clients - 1) * wait.largest,
          absl::StrCat("client ", name, " waits while others get ", wait.others,
                       " tokens: ", wait.clients,
                       " clients, requests of up to ", wait.largest));
    }
    waits[name] = wait;
  }
  waits_ = std::move(waits);
}

}  // namespace alignsae
