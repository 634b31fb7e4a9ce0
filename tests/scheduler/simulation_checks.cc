// What must hold after every action and every step.

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/scheduler/scheduler_fixture.h"
#include "tests/scheduler/simulation.h"

namespace alignsae {
namespace {

std::string NameOf(const absl::Status& status) {
  return absl::StatusCodeToString(status.code());
}

std::vector<int32_t> Answer(const SequenceSpec& sequence) {
  std::vector<int32_t> ids = sequence.prompt;
  std::vector<int32_t> answer;
  while (static_cast<int>(answer.size()) < sequence.max_new_tokens) {
    answer.push_back(SimulatedToken(ids));
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

int32_t SimulatedToken(const std::vector<int32_t>& ids) {
  const int32_t token = FakeStepExecutor::NextToken(ids);
  return token <= 5 ? kEos : token;
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

void Simulation::Check() {
  const SchedulerCensus census = scheduler_.TakeCensus();
  const absl::Status books = scheduler_.CheckInvariants();
  Expect(books.ok(), books.ToString());
  for (const Submitted& request : submitted_) {
    Expect(request.sink->broken.empty(), request.sink->broken);
  }
  Expect(!testing::Test::HasFailure(), "the executor was misused");
  CheckPlaces(census);
  CheckKept(census);
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

// What runs long leaves the kept slots free, but for one request alone whose
// sequences must start together.
void Simulation::CheckKept(const SchedulerCensus& census) {
  std::set<const RequestSink*> requests;
  int held = 0;
  bool together = false;
  for (const SchedulerCensus::Place& place : census.running) {
    const RequestSpec& spec =
        static_cast<const SimulatedSink*>(place.sink)->spec;
    if (!RunsLong(spec)) continue;
    requests.insert(place.sink);
    ++held;
    together = spec.grouping != Grouping::kAsManyAsFit;
  }
  Expect(held <= kv_slots_ - options_.kv_slots_kept ||
             (together && requests.size() == 1),
         absl::StrCat("long work holds ", held, " of ", kv_slots_,
                      " KV slots, of which ", options_.kv_slots_kept,
                      " are kept"));
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

// Whether others may go before it beyond the bound: with KV slots kept, short
// work passes what runs long.
bool Simulation::PassedOver(
    const std::vector<SchedulerCensus::Place>& waiting) const {
  return options_.kv_slots_kept > 0 &&
         std::any_of(waiting.begin(), waiting.end(), [](const auto& place) {
           return RunsLong(static_cast<const SimulatedSink*>(place.sink)->spec);
         });
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
      // By Pop, and with KV slots kept by PopShort once more.
      const int turns = options_.kv_slots_kept > 0 ? 2 : 1;
      Expect(PassedOver(places) ||
                 wait.others <= turns * std::max<int64_t>(0, wait.clients - 1) *
                                    wait.largest,
             absl::StrCat("client ", name, " waits while others get ",
                          wait.others, " tokens: ", wait.clients,
                          " clients, requests of up to ", wait.largest));
    }
    waits[name] = wait;
  }
  waits_ = std::move(waits);
}

}  // namespace alignsae
