// CellStream: a stream whose messages are whole answers to one prompt, in the
// order in which they end: the cells of a sweep or of a matrix. A cell that was
// cut short is not told.
//
// Threads, ownership: see ModelStream.

#ifndef ALIGNSAE_SERVER_API_CELL_STREAM_H_
#define ALIGNSAE_SERVER_API_CELL_STREAM_H_

#include <memory>
#include <utility>

#include "server/api/asked.h"
#include "server/api/cell_collector.h"
#include "server/api/model_stream.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"

namespace alignsae {

template <typename Response>
class CellStream : public ModelStream<Response> {
 public:
  using ModelStream<Response>::ModelStream;

 protected:
  // Keeps what the cells are rendered with, and fills what the started messages
  // of such streams have in common. Before Parse gives `spec` away.
  template <typename Started>
  void Start(AskedGeneration asked, const RequestSpec& spec, Started* started) {
    asked_ = std::move(asked);
    asked_.receipt_id = this->call().receipt_id();
    cells_ = spec.sequences.size();
    RenderHead(this->model().catalog(), this->call().request_id(), asked_,
               spec.sequences[0].prompt, started);
    started->set_cell_count(static_cast<int>(cells_));
  }

  // The message of cell `index`, whose answer it takes.
  virtual void RenderCell(int index, v1::ArmResult answer,
                          Response* message) = 0;

  // What the summaries of such streams have in common.
  template <typename Summary>
  void FillSummary(Summary* summary) {
    *summary->mutable_info() = RenderInfo(
        this->model().catalog(), this->call().request_id(), asked_.checkpoint);
    summary->set_cell_count(sent_);
    summary->set_prompt_token_count(prompt_tokens_);
    summary->set_generated_token_count(generated_tokens_);
  }

 private:
  std::shared_ptr<RequestSink> SinkBefore(
      std::shared_ptr<EventQueue> events) final {
    collector_ = std::make_shared<CellCollector>(cells_, std::move(events));
    return collector_;
  }

  bool RenderEvent(RequestEvent& event, Response* message) final {
    auto* finished = std::get_if<SequenceFinished>(&event);
    if (finished == nullptr) return false;
    // What is ended early ends with a status; half a cell says nothing.
    if (finished->reason == FinishReason::kCancelled) return false;
    const int index = finished->sequence;
    this->call().AddFinished(*finished);
    generated_tokens_ += finished->generated_tokens;
    prompt_tokens_ = finished->prompt_tokens;
    ++sent_;
    SequenceAnswer answer = collector_->Take(index);
    answer.finished = std::move(*finished);
    RenderCell(index,
               RenderWholeArm(asked_, index, answer, this->model().catalog(),
                              this->model().tokenizer()),
               message);
    return true;
  }

  AskedGeneration asked_;
  size_t cells_ = 0;
  std::shared_ptr<CellCollector> collector_;
  int sent_ = 0;
  int prompt_tokens_ = 0;
  int generated_tokens_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_CELL_STREAM_H_
