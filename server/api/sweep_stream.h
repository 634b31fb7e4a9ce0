// SweepStream: one SweepAlpha call, a message for each target and alpha.
//
// Threads, ownership: see CellStream. `request` is the transport's.

#ifndef ALIGNSAE_SERVER_API_SWEEP_STREAM_H_
#define ALIGNSAE_SERVER_API_SWEEP_STREAM_H_

#include <memory>
#include <utility>
#include <vector>

#include "alignsae/v1/steering_service.pb.h"
#include "server/api/cell_stream.h"
#include "server/api/parse_sweep.h"

namespace alignsae {

class SweepStream final : public CellStream<v1::SweepAlphaResponse> {
 public:
  // `request` lives until the call is finished.
  SweepStream(std::shared_ptr<Call> call, const v1::SweepAlphaRequest* request,
              std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink)
      : CellStream(std::move(call), std::move(sink),
                   static_cast<int64_t>(request->ByteSizeLong())),
        request_(request) {}

 private:
  absl::StatusOr<RequestSpec> Parse(const CallScope& scope,
                                    v1::SweepAlphaResponse* started) override;
  void RenderCell(int index, v1::ArmResult answer,
                  v1::SweepAlphaResponse* message) override;
  void RenderSummary(v1::SweepAlphaResponse* message) override;

  const v1::SweepAlphaRequest* const request_;
  std::vector<SweepPlace> places_;  // Of the cells.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_SWEEP_STREAM_H_
