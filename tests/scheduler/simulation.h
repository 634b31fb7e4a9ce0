// Simulation: one random life of a scheduler, told by a seed: limits, clients,
// groupings, forks, deadlines, cancels, slow readers, failing executors, drain.
// After every action and every step all invariants are checked; at the end the
// faults stop, and everything must come to its end.
//
// Single-threaded, over a fake clock and a fake executor, so that a seed gives
// the same life every time; only where the scheduler sleeps does a second
// thread do so, to be woken.
//
// Thread-safety: not thread-safe; one at a time.

#ifndef ALIGNSAE_TESTS_SCHEDULER_SIMULATION_H_
#define ALIGNSAE_TESTS_SCHEDULER_SIMULATION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/base/counter_rng.h"
#include "model/scheduler/scheduler.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_step_executor.h"

namespace alignsae {

// What greedy decoding answers after `ids`: sometimes the end of the text.
int32_t SimulatedToken(const std::vector<int32_t>& ids);

// Keeps what a request was told, and says which rule of RequestSink was broken.
class SimulatedSink : public RequestSink {
 public:
  explicit SimulatedSink(RequestSpec s) : spec(std::move(s)) {}

  bool Deliver(RequestEvent event) override;
  bool IsStalled(absl::Time now) const override { return stalled; }

  const RequestSpec spec;
  int accept = 1 << 30;  // Tokens; the reader is too slow from then on.
  bool stalled = false;

  std::optional<absl::Status> done;
  std::map<int, std::vector<int32_t>> tokens;  // By sequence.
  std::map<int, FinishReason> finished;        // By sequence.
  std::map<int, int> taken;  // Prompt tokens, by sequence that finished.
  int token_events = 0;
  std::string broken;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed);

  // Empty, or which invariant was broken, and when.
  std::string Run();

 private:
  struct Submitted {
    std::shared_ptr<SimulatedSink> sink;
    RequestHandle handle;
  };
  // Origin and name.
  using Client = std::pair<std::string, std::string>;
  using Places = std::vector<SchedulerCensus::Place>;
  // A client that waits, and what others were given since.
  struct Wait {
    bool fresh = true;    // It was not given anything since it came.
    int64_t clients = 0;  // Of its origin, that take turns with it.
    int64_t origins = 0;  // That take turns with its own.
    int64_t largest = 0;  // Tokens of a request that waited meanwhile.
    int64_t others = 0;   // Tokens given to others.

    // What client_line.h promises.
    int64_t bound() const {
      return ((clients - 1) + (origins - 1) * (2 * clients - 1)) * largest;
    }
  };
  class Observer : public SchedulerObserver {
   public:
    void OnQueue(int sequences, int64_t tokens) override;
    void OnStep(const StepReport& report) override;
    int waiting = 0;
    int64_t waiting_tokens = 0;
    int64_t admitted = 0, finished = 0, generated = 0, taken = 0;
    StepReport last;
  };

  uint64_t Below(uint64_t n) { return rng_.NextBelow(n); }
  int Between(int low, int high) {
    return low + static_cast<int>(Below(high - low + 1));
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

  SchedulerOptions RandomOptions();
  std::vector<int32_t> RandomPrompt();
  SequenceSpec RandomSequence(const std::vector<int32_t>& prompt);
  // What is compared with the last sequence, right behind it.
  static void AddFollower(RequestSpec& spec);
  RequestSpec RandomRequest();

  void Act();
  void Submit(RequestSpec spec);
  void CheckRefusal(const absl::Status& refused, const SchedulerCensus& before);
  // With the scheduler's thread asleep: whatever comes must wake it.
  void SubmitToASleeper();
  void BreakSomething();
  void Step();
  void StopFaults();
  void ComeToRest();

  // Each sets broken_ when something does not hold.
  void Check();
  void CheckPlaces(const SchedulerCensus& census);
  void CheckKept(const SchedulerCensus& census);
  void CheckMemory(const SchedulerCensus& census);
  void CheckCounters(const SchedulerCensus& census);
  void CheckAnswers();
  void CheckBeginnings();
  void CheckShares(const SchedulerCensus& before, const SchedulerCensus& after);
  // Nobody of `held`, which started something, has more than `most`.
  void CheckShare(const Places& held, int most);
  void CheckTurns(const SchedulerCensus& before, const SchedulerCensus& after);
  // Tokens to compute that were given out between the two, by client.
  std::map<Client, int64_t> Given(const SchedulerCensus& before,
                                  const SchedulerCensus& after) const;
  bool PassedOver(const Client& client, const Places& waiting,
                  const std::set<Client>& holders) const;
  void Expect(bool holds, const std::string& what);
  bool ok() const { return broken_.empty(); }

  CounterRng rng_;
  FakeClock clock_;
  Observer observer_;
  const int kv_slots_;
  const int context_;  // Tokens that a sequence may have.
  const int kv_tokens_;
  SchedulerOptions options_;
  FakeStepExecutor executor_;
  // A beginning may turn out not to be there; then turns have counted too
  // little, and their bound is not looked at.
  const bool copies_fail_;
  Scheduler scheduler_;
  std::vector<Submitted> submitted_;
  // Sequences of requests that have ended are looked at once more, then left.
  std::set<const RequestSink*> settled_;
  std::map<Client, Wait> waits_;
  bool draining_ = false;
  bool ending_ = false;
  uint64_t error_in_ = 0;  // One row in so many fails; 0: none.
  int names_ = 0;          // Clients that were seen once.
  int tick_ = 0;
  std::string broken_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SCHEDULER_SIMULATION_H_
