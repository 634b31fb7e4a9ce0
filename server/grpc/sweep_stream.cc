#include "server/grpc/sweep_stream.h"

#include <utility>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/methods.h"
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

SweepStream::SweepStream(const RpcEnv* env,
                         grpc::CallbackServerContext* context,
                         const v1::SweepAlphaRequest* request)
    : ModelStream(env, kRpcSweepAlpha, context), request_(request) {}

absl::StatusOr<RequestSpec> SweepStream::Parse(const CallScope& scope) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed_, ParseSweepAlpha(*request_, scope.parse_env(), RandomUint64()));
  return parsed_.spec;
}

std::shared_ptr<RequestSink> SweepStream::SinkBefore(
    std::shared_ptr<EventQueue> events) {
  cells_ =
      std::make_shared<CellCollector>(parsed_.cells.size(), std::move(events));
  return cells_;
}

void SweepStream::RenderStarted(v1::SweepAlphaResponse* message) {
  v1::SweepStarted* started = message->mutable_started();
  RenderHead(model(), call().request_id(), parsed_.checkpoint, parsed_.seed,
             parsed_.spec, started);
  started->set_cell_count(static_cast<int>(parsed_.cells.size()));
}

bool SweepStream::RenderEvent(RequestEvent& event,
                              v1::SweepAlphaResponse* message) {
  auto* finished = std::get_if<SequenceFinished>(&event);
  if (finished == nullptr) return false;
  // A sweep that is ended early ends with a status; half a cell says nothing.
  if (finished->reason == FinishReason::kCancelled) return false;
  const int index = finished->sequence;
  call().AddTokens(finished->prompt_tokens, finished->generated_tokens);
  generated_tokens_ += finished->generated_tokens;
  ++sent_;
  SequenceAnswer answer = cells_->Take(index);
  answer.finished = std::move(*finished);
  const SweepPlace& place = parsed_.cells[index];
  v1::SweepCell* cell = message->mutable_cell();
  cell->set_index(index);
  cell->set_baseline(place.target < 0);
  if (place.target >= 0) {
    cell->set_target_index(place.target);
    cell->set_alpha_index(place.alpha);
    cell->set_alpha(request_->alphas(place.alpha));
  }
  *cell->mutable_result() =
      RenderWholeArm(place.target < 0 ? v1::ARM_BASELINE : v1::ARM_STEERED,
                     parsed_.spec.sequences[index], answer, model());
  if (cell->result().receipts_size() > 0) {
    cell->set_target(cell->result().receipts(0).target_concept());
  }
  return true;
}

void SweepStream::RenderSummary(v1::SweepAlphaResponse* message) {
  v1::SweepSummary* summary = message->mutable_summary();
  *summary->mutable_info() =
      RenderInfo(model().catalog(), call().request_id(), parsed_.checkpoint);
  summary->set_cell_count(sent_);
  summary->set_prompt_token_count(
      static_cast<int>(parsed_.spec.sequences[0].prompt.size()));
  summary->set_generated_token_count(generated_tokens_);
}

}  // namespace alignsae
