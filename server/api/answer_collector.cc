#include "server/api/answer_collector.h"

#include <iterator>
#include <utility>

#include "server/api/unary_call.h"

namespace alignsae {

void SequenceAnswer::Add(PromptEvent event) {
  prompt.insert(prompt.end(), std::make_move_iterator(event.tokens.begin()),
                std::make_move_iterator(event.tokens.end()));
}

AnswerCollector::AnswerCollector(size_t sequences, OnDone on_done)
    : answers_(sequences), on_done_(std::move(on_done)) {}

bool AnswerCollector::Deliver(RequestEvent event) {
  if (auto* done = std::get_if<RequestDone>(&event)) {
    // Taken out first: what it holds may hold this object.
    const OnDone on_done = std::exchange(on_done_, nullptr);
    on_done(done->status.ok() ? kept_ : std::move(done->status),
            std::move(answers_));
    return true;
  }
  const absl::Status kept = WithoutMemoryFailure([&] {
    Keep(event);
    return absl::OkStatus();
  });
  if (!kept.ok()) kept_ = kept;
  return true;
}

void AnswerCollector::Keep(RequestEvent& event) {
  if (auto* token = std::get_if<TokenEvent>(&event)) {
    answers_[token->sequence].tokens.push_back(std::move(*token));
  } else if (auto* prompt = std::get_if<PromptEvent>(&event)) {
    answers_[prompt->sequence].Add(std::move(*prompt));
  } else if (auto* trace = std::get_if<TraceEvent>(&event)) {
    answers_[trace->sequence].trace.push_back(std::move(trace->reading));
  } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
    SequenceFinished& place = answers_[finished->sequence].finished;
    place = std::move(*finished);
  }
}

}  // namespace alignsae
