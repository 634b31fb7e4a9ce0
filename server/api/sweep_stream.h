// SweepStream: one SweepAlpha call, cell by cell, in the order in which they
// end. A cell that was cut short is not told.
//
// Threads, ownership: see ModelStream. `request` is the transport's.

#ifndef ALIGNSAE_SERVER_API_SWEEP_STREAM_H_
#define ALIGNSAE_SERVER_API_SWEEP_STREAM_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/base/mutex.h"
#include "server/api/answer_collector.h"
#include "server/api/asked.h"
#include "server/api/model_stream.h"
#include "server/api/parse_sweep.h"

namespace alignsae {

// Keeps the tokens of each cell until it is done, and lets only the ends
// through to the stream's events: a cell is one message.
//
// Thread-safety: thread-safe.
class CellCollector final : public RequestSink {
 public:
  CellCollector(size_t cells, std::shared_ptr<EventQueue> events);

  bool Deliver(RequestEvent event) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsStalled(absl::Time now) const override;

  // What the cell said before its SequenceFinished, which is left empty. Once.
  SequenceAnswer Take(int cell) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::shared_ptr<EventQueue> events_;
  Mutex mutex_;
  std::vector<SequenceAnswer> answers_ ABSL_GUARDED_BY(mutex_);
};

class SweepStream final : public ModelStream<v1::SweepAlphaResponse> {
 public:
  // `request` lives until the call is finished.
  SweepStream(std::shared_ptr<Call> call, const v1::SweepAlphaRequest* request,
              std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink)
      : ModelStream(std::move(call), std::move(sink),
                    static_cast<int64_t>(request->ByteSizeLong())),
        request_(request) {}

 private:
  absl::StatusOr<RequestSpec> Parse(const CallScope& scope,
                                    v1::SweepAlphaResponse* started) override;
  std::shared_ptr<RequestSink> SinkBefore(
      std::shared_ptr<EventQueue> events) override;
  bool RenderEvent(RequestEvent& event,
                   v1::SweepAlphaResponse* message) override;
  void RenderSummary(v1::SweepAlphaResponse* message) override;

  const v1::SweepAlphaRequest* const request_;
  AskedGeneration asked_;
  std::vector<SweepPlace> places_;  // Of the cells.
  std::shared_ptr<CellCollector> cells_;
  int sent_ = 0;
  int prompt_tokens_ = 0;
  int generated_tokens_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_SWEEP_STREAM_H_
