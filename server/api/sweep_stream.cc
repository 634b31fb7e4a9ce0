#include "server/api/sweep_stream.h"

#include <utility>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"

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

absl::StatusOr<RequestSpec> SweepStream::Parse(
    const CallScope& scope, v1::SweepAlphaResponse* started) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedSweep parsed,
      ParseSweepAlpha(*request_, scope.parse_env(), RandomUint64()));
  asked_ = std::move(parsed.asked);
  asked_.receipt_id = call().receipt_id();
  places_ = std::move(parsed.cells);
  RenderHead(scope.model->catalog(), call().request_id(), asked_,
             parsed.spec.sequences[0].prompt, started->mutable_started());
  started->mutable_started()->set_cell_count(static_cast<int>(places_.size()));
  return std::move(parsed.spec);
}

std::shared_ptr<RequestSink> SweepStream::SinkBefore(
    std::shared_ptr<EventQueue> events) {
  cells_ = std::make_shared<CellCollector>(places_.size(), std::move(events));
  return cells_;
}

bool SweepStream::RenderEvent(RequestEvent& event,
                              v1::SweepAlphaResponse* message) {
  auto* finished = std::get_if<SequenceFinished>(&event);
  if (finished == nullptr) return false;
  // A sweep that is ended early ends with a status; half a cell says nothing.
  if (finished->reason == FinishReason::kCancelled) return false;
  const int index = finished->sequence;
  call().AddFinished(*finished);
  generated_tokens_ += finished->generated_tokens;
  prompt_tokens_ = finished->prompt_tokens;
  ++sent_;
  SequenceAnswer answer = cells_->Take(index);
  answer.finished = std::move(*finished);
  const SweepPlace& place = places_[index];
  v1::SweepCell* cell = message->mutable_cell();
  cell->set_index(index);
  cell->set_baseline(place.target < 0);
  if (place.target >= 0) {
    cell->set_target_index(place.target);
    cell->set_alpha_index(place.alpha);
    cell->set_alpha(request_->alphas(place.alpha));
  }
  *cell->mutable_result() = RenderWholeArm(
      asked_, index, answer, model().catalog(), model().tokenizer());
  if (cell->result().receipts_size() > 0) {
    cell->set_target(cell->result().receipts(0).target_concept());
  }
  return true;
}

void SweepStream::RenderSummary(v1::SweepAlphaResponse* message) {
  v1::SweepSummary* summary = message->mutable_summary();
  *summary->mutable_info() =
      RenderInfo(model().catalog(), call().request_id(), asked_.checkpoint);
  summary->set_cell_count(sent_);
  summary->set_prompt_token_count(prompt_tokens_);
  summary->set_generated_token_count(generated_tokens_);
}

}  // namespace alignsae
