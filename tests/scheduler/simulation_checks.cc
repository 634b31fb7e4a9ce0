// What must hold after every action and every step.

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/scheduler/fork_plan.h"
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

const RequestSpec& SpecOf(const SchedulerCensus::Place& place) {
  return static_cast<const SimulatedSink*>(place.sink)->spec;
}

using Places = std::vector<SchedulerCensus::Place>;

std::map<std::pair<std::string, std::string>, Places> ByClient(
    const Places& places) {
  std::map<std::pair<std::string, std::string>, Places> clients;
  for (const SchedulerCensus::Place& place : places) {
    const RequestSpec& spec = SpecOf(place);
    clients[{spec.origin, spec.client}].push_back(place);
  }
  return clients;
}

std::map<std::string, Places> ByOrigin(const Places& places) {
  std::map<std::string, Places> origins;
  for (const SchedulerCensus::Place& place : places) {
    origins[SpecOf(place).origin].push_back(place);
  }
  return origins;
}

bool Contains(const Places& places, const SchedulerCensus::Place& place) {
  return std::count(places.begin(), places.end(), place) > 0;
}

const SequenceSpec& SequenceOf(const SchedulerCensus::Place& place) {
  return SpecOf(place).sequences[place.sequence];
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
  CheckMemory(census);
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
      const int told = sink.spec.sequences[i].follows.value_or(i);
      Expect(places.count({&sink, i}) + sink.finished.count(told) == 1,
             "a sequence of a request is nowhere, or is told of as finished "
             "and goes on");
    }
  }
}

// At least what a running sequence holds of the KV cache: what it shares with
// others of its request may be held by one of those.
int64_t OwnTokens(const SequenceSpec& sequence) {
  return TokensOf(sequence) - PartingPosition(sequence);
}

// What is not small leaves free what is kept, but for one request alone that
// needs more at once.
void Simulation::CheckKept(const SchedulerCensus& census) {
  std::set<const RequestSink*> requests;
  int held = 0;
  int64_t tokens = 0;
  bool needs_more = false;
  for (const SchedulerCensus::Place& place : census.running) {
    const RequestSpec& spec = SpecOf(place);
    if (IsSmall(spec)) continue;
    requests.insert(place.sink);
    ++held;
    tokens += OwnTokens(SequenceOf(place));
    needs_more = NeedAtOnce(spec).slots > kv_slots_ - options_.slots.kept;
  }
  Expect(
      held <= kv_slots_ - options_.slots.kept ||
          (needs_more && requests.size() == 1),
      absl::StrCat("what is not small holds ", held, " of ", kv_slots_,
                   " KV slots, of which ", options_.slots.kept, " are kept"));
  const int64_t kept =
      KvRulesFor(options_.slots, {kv_slots_, kv_tokens_}).kept.tokens;
  Expect(tokens <= kv_tokens_ - kept || requests.size() == 1,
         absl::StrCat("what is not small holds ", tokens, " of ", kv_tokens_,
                      " tokens, of which ", kept, " are kept"));
}

// The tokens of the KV cache bound what is held, what is kept and what has
// memory, which the executor counts for itself.
void Simulation::CheckMemory(const SchedulerCensus& census) {
  int64_t least = 0;
  int64_t most = 0;
  for (const SchedulerCensus::Place& place : census.running) {
    least += OwnTokens(SequenceOf(place));
    most += TokensOf(SequenceOf(place));
  }
  const int64_t held = census.held.tokens;
  // Of variants of which the first has ended, its tokens are held as well.
  const bool all_hold_their_own =
      census.held.slots == static_cast<int>(census.running.size());
  Expect(held >= least && (held <= most || !all_hold_their_own),
         absl::StrCat("what runs holds ", held, " tokens and not between ",
                      least, " and ", most));
  Expect(held + census.tokens_kept <= kv_tokens_,
         absl::StrCat(held, " tokens are held and ", census.tokens_kept,
                      " kept, of ", kv_tokens_));
  Expect(executor_.tokens_resident() <= kv_tokens_,
         absl::StrCat(executor_.tokens_resident(), " tokens have memory, of ",
                      kv_tokens_));
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
    for (const SequenceSpec& sequence : request.sink->spec.sequences) {
      if (!sequence.follows.has_value()) continue;
      finished += request.sink->finished.count(*sequence.follows);
    }
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
      const auto told = sink.tokens.find(i);
      if (sink.spec.sequences[i].follows.has_value()) {
        Expect(told == sink.tokens.end() && sink.finished.count(i) == 0,
               "a sequence that follows another one is told of");
        continue;
      }
      Expect(sink.finished.count(i) == 1, "done before all have finished");
      const std::vector<int32_t> answer = Answer(sink.spec.sequences[i]);
      Expect(
          told == sink.tokens.end() ? answer.empty() : told->second == answer,
          "an answer is not its prompt's");
    }
  }
}

// What the prefix cache says is in a KV slot is there, as it was computed
// without edits.
void Simulation::CheckBeginnings() {
  for (int slot = 0; slot < kv_slots_; ++slot) {
    const PromptBeginning& beginning =
        scheduler_.prefix_cache().beginning(slot);
    if (executor_.Holds(slot, beginning.tokens, beginning.layers)) continue;
    Expect(false, absl::StrCat("KV slot ", slot, " does not hold the ",
                               beginning.tokens.size(), " tokens of it"));
  }
  Expect(observer_.taken == 0 || options_.prefix_cache_tokens > 0,
         "tokens are taken and none are kept");
}

void Simulation::CheckShare(const Places& held, int most) {
  if (most == 0 || static_cast<int>(held.size()) <= most) return;
  const RequestSpec& spec = SpecOf(held.front());
  const bool one_request = std::all_of(
      held.begin(), held.end(),
      [&](const auto& place) { return place.sink == held.front().sink; });
  Expect(one_request && static_cast<int>(held.size()) <= NeedAtOnce(spec).slots,
         absl::StrCat("client ", spec.origin, "/", spec.client, " has ",
                      held.size(), " KV slots while others wait, its share is ",
                      most));
}

// Who was given something while others waited has no more than its share.
void Simulation::CheckShares(const SchedulerCensus& before,
                             const SchedulerCensus& after) {
  std::set<Client> given;
  for (const SchedulerCensus::Place& place : after.running) {
    const RequestSpec& spec = SpecOf(place);
    if (Contains(before.waiting, place))
      given.emplace(spec.origin, spec.client);
  }
  const auto clients = ByClient(after.running);
  const auto origins = ByOrigin(after.running);
  const auto waiting = ByClient(after.waiting);
  const auto origins_waiting = ByOrigin(after.waiting);
  for (const Client& client : given) {
    if (waiting.size() > waiting.count(client)) {
      CheckShare(clients.at(client), options_.slots.of_client);
    }
    if (origins_waiting.size() > origins_waiting.count(client.first)) {
      CheckShare(origins.at(client.first), options_.slots.of_origin);
    }
  }
}

// Whether others may go before it beyond the bound: with KV slots kept, small
// requests pass the others; and who holds a share, or whose origin does, may
// be passed. `holders` had a slot in this step.
bool Simulation::PassedOver(const Client& client, const Places& waiting,
                            const std::set<Client>& holders) const {
  const SlotRules& rules = options_.slots;
  if (rules.of_client > 0 && holders.count(client) > 0) return true;
  if (rules.of_origin > 0 &&
      std::any_of(holders.begin(), holders.end(), [&](const Client& holder) {
        return holder.first == client.first;
      })) {
    return true;
  }
  return rules.kept > 0 &&
         std::any_of(waiting.begin(), waiting.end(),
                     [](const auto& place) { return !IsSmall(SpecOf(place)); });
}

std::map<Simulation::Client, int64_t> Simulation::Given(
    const SchedulerCensus& before, const SchedulerCensus& after) const {
  std::set<std::pair<const RequestSink*, int>> still;
  for (const SchedulerCensus::Place& place : after.waiting) {
    still.emplace(place.sink, place.sequence);
  }
  std::map<Client, int64_t> given;
  for (const SchedulerCensus::Place& place : before.waiting) {
    if (still.count({place.sink, place.sequence}) > 0) continue;
    const auto* sink = static_cast<const SimulatedSink*>(place.sink);
    const auto runs =
        std::find(after.running.begin(), after.running.end(), place);
    int taken = 0;
    if (runs != after.running.end()) {
      taken = after.running_taken[runs - after.running.begin()];
    } else if (sink->finished.count(place.sequence) > 0) {
      taken = sink->taken.at(place.sequence);
    } else {
      continue;  // Ended.
    }
    given[{sink->spec.origin, sink->spec.client}] +=
        TokensOf(SequenceOf(place)) - taken;
  }
  return given;
}

// The bound that client_line.h states.
void Simulation::CheckTurns(const SchedulerCensus& before,
                            const SchedulerCensus& after) {
  int64_t largest = 0;  // A request that waited in this step.
  for (const SchedulerCensus::Place& place : before.waiting) {
    largest = std::max(largest, TokensOf(SpecOf(place)));
  }
  const std::map<Client, int64_t> given = Given(before, after);
  int64_t all = 0;
  std::set<Client> holders;
  for (const auto& [client, places] : ByClient(before.running)) {
    holders.insert(client);
  }
  for (const auto& [client, tokens] : given) {
    all += tokens;
    holders.insert(client);
  }
  const auto waiting = ByClient(after.waiting);
  const auto count = [&](const Client& client, const Places& places,
                         bool origins) {
    std::set<std::string> names;
    for (const auto& [other, unused] : ByClient(places)) {
      if (origins) names.insert(other.first);
      if (!origins && other.first == client.first) names.insert(other.second);
    }
    return static_cast<int64_t>(names.size());
  };
  std::map<Client, Wait> waits;
  for (const auto& [client, places] : waiting) {
    const int64_t clients = std::max(count(client, after.waiting, false),
                                     count(client, before.waiting, false));
    const int64_t origins = std::max(count(client, after.waiting, true),
                                     count(client, before.waiting, true));
    const auto known = waits_.find(client);
    Wait wait;
    if (known != waits_.end()) wait = known->second;
    if (known == waits_.end() || given.count(client) > 0 ||
        PassedOver(client, places, holders)) {
      // Given something just now, it may have come to the end of its turn.
      wait = {known == waits_.end(), clients, origins, 0, 0};
    } else {
      wait.others += all;
      wait.largest = std::max(wait.largest, largest);
      if (!wait.fresh) wait.clients = std::max(wait.clients, clients);
      wait.origins = std::max(wait.origins, origins);
      // By Pop, and with KV slots kept by PopSmall once more.
      const int turns = options_.slots.kept > 0 ? 2 : 1;
      Expect(copies_fail_ || wait.others <= turns * wait.bound(),
             absl::StrCat("client ", client.first, "/", client.second,
                          " waits while others get ", wait.others,
                          " tokens: ", wait.clients, " clients, ", wait.origins,
                          " origins, requests of up to ", wait.largest));
    }
    waits[client] = wait;
  }
  waits_ = std::move(waits);
}

}  // namespace alignsae
