// MatrixStream: one SwapMatrix call, a message for each pair of concepts.
//
// Threads, ownership: see CellStream. `request` is the transport's.

#ifndef ALIGNSAE_SERVER_API_MATRIX_STREAM_H_
#define ALIGNSAE_SERVER_API_MATRIX_STREAM_H_

#include <memory>
#include <utility>
#include <vector>

#include "alignsae/v1/swap_matrix.pb.h"
#include "server/api/cell_stream.h"
#include "server/api/parse_matrix.h"

namespace alignsae {

class MatrixStream final : public CellStream<v1::SwapMatrixResponse> {
 public:
  // `request` lives until the call is finished.
  MatrixStream(std::shared_ptr<Call> call, const v1::SwapMatrixRequest* request,
               std::shared_ptr<StreamSink<v1::SwapMatrixResponse>> sink)
      : CellStream(std::move(call), std::move(sink),
                   static_cast<int64_t>(request->ByteSizeLong())),
        request_(request) {}

 private:
  absl::StatusOr<RequestSpec> Parse(const CallScope& scope,
                                    v1::SwapMatrixResponse* started) override;
  void RenderCell(int index, v1::ArmResult answer,
                  v1::SwapMatrixResponse* message) override;
  void RenderSummary(v1::SwapMatrixResponse* message) override;

  const v1::SwapMatrixRequest* const request_;
  std::vector<MatrixPlace> places_;  // Of the cells.
  std::vector<SwappedConcept> swapped_;
  int expected_ = 0;  // Cells with an answer, so far.
  int matched_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_MATRIX_STREAM_H_
