// AnswerCollector: gathers what the scheduler tells of a request, for RPCs that
// answer with one message.
//
// Threads: the step thread delivers and runs `on_done`, which hands the rest to
// a lane; nothing here blocks or renders.
// Ownership: the scheduler's request holds it until RequestDone; what `on_done`
// holds is let go then.
// Not for: streams, whose reader may fall behind (EventQueue).

#ifndef ALIGNSAE_SERVER_API_ANSWER_COLLECTOR_H_
#define ALIGNSAE_SERVER_API_ANSWER_COLLECTOR_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "model/scheduler/request.h"

namespace alignsae {

// Everything of one sequence.
struct SequenceAnswer {
  std::vector<SampledToken> prompt;  // Of a scored prompt, else empty.
  std::vector<TokenEvent> tokens;
  std::vector<ConceptReading> trace;
  SequenceFinished finished;

  void Add(PromptEvent event);
};

class AnswerCollector : public RequestSink {
 public:
  // On RequestDone, once; must not block. Answers are in the order of
  // RequestSpec::sequences, and whole when the status is OK. RESOURCE_EXHAUSTED
  // where there was no memory to keep one.
  using OnDone = std::function<void(absl::Status, std::vector<SequenceAnswer>)>;

  AnswerCollector(size_t sequences, OnDone on_done);

  bool Deliver(RequestEvent event) override;

 private:
  void Keep(RequestEvent& event);

  std::vector<SequenceAnswer> answers_;
  absl::Status kept_;
  OnDone on_done_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ANSWER_COLLECTOR_H_
