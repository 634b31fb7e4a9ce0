#include "server/api/cell_collector.h"

#include <utility>

namespace alignsae {

CellCollector::CellCollector(size_t cells, std::shared_ptr<EventQueue> events)
    : events_(std::move(events)), answers_(cells) {}

bool CellCollector::Deliver(RequestEvent event) {
  if (auto* token = std::get_if<TokenEvent>(&event)) {
    MutexLock lock(&mutex_);
    answers_[token->sequence].tokens.push_back(std::move(*token));
    return true;
  }
  if (auto* prompt = std::get_if<PromptEvent>(&event)) {
    MutexLock lock(&mutex_);
    answers_[prompt->sequence].Add(std::move(*prompt));
    return true;
  }
  if (std::holds_alternative<TraceEvent>(event)) return true;  // Never asked.
  return events_->Deliver(std::move(event));
}

bool CellCollector::IsStalled(absl::Time now) const {
  return events_->IsStalled(now);
}

SequenceAnswer CellCollector::Take(int cell) {
  MutexLock lock(&mutex_);
  return std::move(answers_[cell]);
}

}  // namespace alignsae
