// What the scheduler runs and what it tells: requests and events as plain data.
//
// A request is one or more sequences. Each sequence is one prompt with its own
// interventions, read only (max_new_tokens = 0) or continued. Everything here
// was checked when it was made; code behind the parser may assume it.
//
// Thread-safety: value types.

#ifndef ALIGNSAE_MODEL_SCHEDULER_REQUEST_H_
#define ALIGNSAE_MODEL_SCHEDULER_REQUEST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/engine/step.h"      // IWYU pragma: export
#include "model/sampling/params.h"  // IWYU pragma: export
#include "model/scheduler/side_effects.h"
#include "model/steering/guard.h"         // IWYU pragma: export
#include "model/steering/intervention.h"  // IWYU pragma: export
#include "model/steering/receipt.h"       // IWYU pragma: export

namespace alignsae {

using InterventionList = std::shared_ptr<const std::vector<Intervention>>;

struct SequenceSpec {
  std::vector<int32_t> prompt;     // Not empty, each in [0, vocab_size).
  InterventionList interventions;  // Never null.
  // 0: a readout, which leaves at the last observed hook. prompt.size() +
  // max_new_tokens is at most the context length.
  int max_new_tokens = 0;
  SamplingParams sampling;
  bool ignore_eos = false;
  int min_new_tokens = 0;  // No end token is chosen before so many.
  // How many of the most likely tokens to report with the logprob of each token
  // of the prompt; nullopt: the prompt is not scored. Not for a readout.
  std::optional<int> prompt_logprobs;
  std::vector<std::string> stop_sequences;  // None is empty.
  // What to read of the prompt; positions absolute in [0, prompt.size()).
  std::vector<Observation> observations;
  // Checkpoint (index into the catalog) of SequenceFinished::prompt_reading and
  // of the trace; nullopt: neither.
  std::optional<int> reading_checkpoint;
  bool trace = false;  // Read every generated token that is fed back.
  // The answer ends with the token at which it holds, of those that are fed
  // back. Of the reading checkpoint.
  std::optional<ReadingCondition> abort_when;
  // Side effects of the interventions are told (SequenceFinished::effects); the
  // interventions measure. The limits are looked at before each token, and the
  // answer ends before the first token that passes one.
  bool measure = false;
  GuardLimits guard;
  // A sequence before this one, of the same request and prompt, whose tokens it
  // feeds instead of its own; not kSeparate, and of kAsManyAsFit right behind
  // it, so that both start together. It has no interventions: the one that it
  // follows is told how far it is from it at each token. Nothing is told of it.
  std::optional<int> follows;
};

// How the sequences of a request start.
enum class Grouping {
  kSeparate,  // Each when a KV slot is free.
  // Variants of one prompt. Those that start together compute what they have in
  // common once (fork_plan.h) and share every step as long as they run.
  kTogether,  // All in the same step: the arms of an experiment.
  // As many as there are free KV slots, the others later; one that follows
  // another one with it.
  kAsManyAsFit,
};

struct RequestSpec {
  std::vector<SequenceSpec> sequences;  // Not empty.
  Grouping grouping = Grouping::kSeparate;
  // Whose turn it is: KV slots go round between origins, and between the
  // clients of one. The origin is what a caller cannot choose freely.
  std::string origin;
  std::string client;
  int max_slots = 0;  // Of the origin, at once; 0: no limit of its own.
  // Requests of one scope take computed beginnings of prompts from each other
  // (prefix_cache.h): how long one takes tells whether it did.
  std::string prefix_scope;
  absl::Time deadline = absl::InfiniteFuture();
};

enum class FinishReason { kEos, kLength, kStop, kCancelled, kAborted, kGuard };

// A generated token. `sequence` is an index into RequestSpec::sequences.
struct TokenEvent {
  int sequence = 0;
  int position = 0;  // Absolute.
  SampledToken token;
  // Bytes of text that this token completes (not always whole characters): what
  // may still become a stop sequence is held back.
  std::string text;
};

// Tokens of the prompt, of a sequence that scores it: all of them, in order,
// some at a time, before its first TokenEvent. The first follows nothing and
// has neither logprob nor alternatives.
struct PromptEvent {
  int sequence = 0;
  int position = 0;                  // Of the first of them.
  std::vector<SampledToken> tokens;  // At most kPromptEventTokens.
};
inline constexpr int kPromptEventTokens = 32;

// A reading at a generated token, told before.
struct TraceEvent {
  int sequence = 0;
  ConceptReading reading;
};

// A sequence has ended; nothing more comes for it.
struct SequenceFinished {
  int sequence = 0;
  FinishReason reason = FinishReason::kLength;
  std::string
      text_tail;        // Bytes held back that are part of the text after all.
  int stop_index = -1;  // Into SequenceSpec::stop_sequences; kStop only.
  int prompt_tokens = 0;
  int taken_tokens = 0;  // Of the prompt's, by the prefix cache.
  int generated_tokens = 0;
  double total_logprob = 0;
  std::vector<InterventionReceipt> receipts;     // One per intervention.
  std::optional<ConceptReading> prompt_reading;  // At the last prompt token.
  std::vector<ConceptReading> readings;  // In order of observations, positions.
  std::optional<SideEffects> effects;    // Where the spec measures.
  std::optional<GuardStop> guard;        // kGuard only.
};

// The request has ended; nothing more comes. Exactly once, last.
struct RequestDone {
  absl::Status status;
};

using RequestEvent = std::variant<PromptEvent, TokenEvent, TraceEvent,
                                  SequenceFinished, RequestDone>;

// Receives the events of one request: for each sequence that ran its prompt
// where that is scored, tokens and traces, then SequenceFinished, and
// RequestDone last. Of a sequence that never ran, or that follows another one,
// nothing is told.
//
// Who calls: the scheduler, one method at a time, from the step thread, with no
// lock held. What takes long here makes every step longer.
//
// Who owns: shared; the scheduler lets go of it some time after RequestDone.
//
// Thread-safety: what other threads look at is the sink's own to guard.
class RequestSink {
 public:
  virtual ~RequestSink() = default;

  // Must not block. False: the reader has fallen behind; the request is then
  // ended with RESOURCE_EXHAUSTED. The answer for SequenceFinished and
  // RequestDone is not looked at.
  virtual bool Deliver(RequestEvent event) = 0;

  // Whether the reader has stopped reading, asked before every step.
  virtual bool IsStalled(absl::Time now) const { return false; }
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_REQUEST_H_
