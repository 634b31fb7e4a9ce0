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
    taken[end->sequence] = end->taken_tokens;
    size_t readings = 0;
    for (const Observation& read : spec.sequences[end->sequence].observations) {
      readings += read.positions.size();
    }
    if (end->reason != FinishReason::kCancelled &&
        end->readings.size() != readings) {
      broken = "a reading is missing";
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
  taken += report.prefix.tokens_taken;
  last = report;
}

Simulation::Simulation(uint64_t seed)
    : rng_(seed),
      kv_slots_(Between(1, 6)),
      context_(Between(40, 220)),
      kv_tokens_(context_ + Between(0, context_)),
      options_(RandomOptions()),
      executor_(kv_slots_, kv_tokens_),
      copies_fail_(OneIn(4)),
      scheduler_(options_, &executor_, &clock_,
                 SequenceEnv{TwoCheckpoints(), &FakeTokenBytes}, &observer_) {
  executor_.keep_steps = false;
  executor_.next_token = &SimulatedToken;
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
  if (OneIn(2)) options.slots.kept = Between(0, kv_slots_ - 1);
  if (OneIn(2)) options.slots.of_client = Between(1, kv_slots_);
  if (OneIn(2)) options.slots.of_origin = Between(1, kv_slots_);
  if (OneIn(2)) options.queue.max_large = Between(1, 8);
  if (!OneIn(4)) options.prefix_cache_tokens = Between(1, 120);
  return options;
}

// Half of them begin alike, as a template or a few examples do; some go on from
// what was answered.
std::vector<int32_t> Simulation::RandomPrompt() {
  std::vector<int32_t> prompt;
  if (OneIn(2)) {
    prompt.assign(PrefixCache::kLeastTokens, Between(1, 2));
  } else if (!submitted_.empty() && OneIn(3)) {
    const SimulatedSink& sink = *submitted_[Below(submitted_.size())].sink;
    prompt = sink.spec.sequences[0].prompt;
    const auto answer = sink.tokens.find(0);
    if (answer != sink.tokens.end()) {
      prompt.insert(prompt.end(), answer->second.begin(), answer->second.end());
    }
    if (prompt.size() > 30) prompt.resize(30);
  }
  const size_t head = prompt.size();
  prompt.resize(OneIn(40) ? kSmallPrompt + 1 : head + Between(1, 12));
  for (size_t i = head; i < prompt.size(); ++i) prompt[i] = Between(1, 90);
  if (static_cast<int>(prompt.size()) >= context_) prompt.resize(context_ - 1);
  return prompt;
}

SequenceSpec Simulation::RandomSequence(const std::vector<int32_t>& prompt) {
  SequenceSpec sequence;
  sequence.prompt = prompt;
  sequence.max_new_tokens = OneIn(5) ? 0 : Between(1, 9);
  if (OneIn(40)) sequence.max_new_tokens = kShortTokens + Between(1, 9);
  sequence.max_new_tokens = std::min(
      sequence.max_new_tokens, context_ - static_cast<int>(prompt.size()));
  sequence.ignore_eos = OneIn(2);
  std::vector<Intervention> interventions;
  const int last = static_cast<int>(prompt.size()) - 1;
  if (OneIn(2)) {
    Intervention edit;
    edit.checkpoint = Between(0, 1);
    edit.positions.prompt = {Between(0, last)};
    edit.positions.generated = OneIn(2);
    if (edit.positions.generated && OneIn(2)) edit.positions.prompt.clear();
    interventions.push_back(edit);
  }
  sequence.interventions =
      std::make_shared<const std::vector<Intervention>>(interventions);
  if (sequence.max_new_tokens == 0 || OneIn(3)) {
    sequence.observations.push_back({Between(0, 1), {Between(0, last)}, false});
  }
  return sequence;
}

void Simulation::AddFollower(RequestSpec& spec) {
  SequenceSpec follower = spec.sequences.back();
  follower.interventions = std::make_shared<const std::vector<Intervention>>();
  follower.observations.clear();
  follower.follows = static_cast<int>(spec.sequences.size()) - 1;
  spec.sequences.push_back(std::move(follower));
}

RequestSpec Simulation::RandomRequest() {
  RequestSpec spec;
  spec.grouping = static_cast<Grouping>(Below(3));
  std::vector<int32_t> prompt;
  const int count = OneIn(2) ? 1 : Between(1, 6);
  for (int i = 0; i < count; ++i) {
    if (prompt.empty() || spec.grouping == Grouping::kSeparate) {
      prompt = RandomPrompt();
    }
    spec.sequences.push_back(RandomSequence(prompt));
    // Variants are continued: what a readout leaves out others would need.
    if (spec.grouping != Grouping::kSeparate && count > 1) {
      int& tokens = spec.sequences.back().max_new_tokens;
      tokens = std::max(1, tokens);
      if (OneIn(4)) AddFollower(spec);
    }
  }
  spec.origin = absl::StrCat("origin", OneIn(2) ? 0 : Below(3));
  spec.client = OneIn(4) ? absl::StrCat("new", names_++)
                         : absl::StrCat("client", Below(4));
  if (OneIn(3)) spec.prefix_scope = spec.origin;
  if (OneIn(3)) {
    spec.deadline = clock_.Now() + absl::Milliseconds(Between(-5, 400));
  }
  return spec;
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
      executor_.copy_kv = copies_fail_ && OneIn(2)
                              ? absl::InternalError("broken")
                              : absl::OkStatus();
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
  const StepReport& step = observer_.last;
  if (step.admitted + step.finished > 0) CheckBeginnings();
  if (ok()) CheckShares(before, scheduler_.TakeCensus());
  if (ok()) CheckTurns(before, scheduler_.TakeCensus());
}

void Simulation::StopFaults() {
  error_in_ = 0;
  executor_.lose_results = 0;
  executor_.copy_kv = absl::OkStatus();
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
  if (options_.slots.kept > 0) steps *= StepShare::kMostPassed + 1;
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

}  // namespace alignsae
