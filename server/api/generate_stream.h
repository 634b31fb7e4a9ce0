// GenerateStream: one Generate call, token by token: `started`, a message for
// some tokens of a scored prompt, for each token and reading, the end of each
// arm, and the summary with the whole texts and receipts. Texts of the messages
// are whole characters.
//
// Threads, ownership: see ModelStream. `request` is the transport's.

#ifndef ALIGNSAE_SERVER_API_GENERATE_STREAM_H_
#define ALIGNSAE_SERVER_API_GENERATE_STREAM_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "alignsae/v1/steering_service.pb.h"
#include "server/api/asked.h"
#include "server/api/model_stream.h"
#include "server/api/utf8_stream.h"

namespace alignsae {

class GenerateStream final : public ModelStream<v1::GenerateResponse> {
 public:
  // `request` lives until the call is finished.
  GenerateStream(std::shared_ptr<Call> call, const v1::GenerateRequest* request,
                 std::shared_ptr<StreamSink<v1::GenerateResponse>> sink)
      : ModelStream(std::move(call), std::move(sink),
                    static_cast<int64_t>(request->ByteSizeLong())),
        request_(request) {}

 private:
  // What an arm has said so far.
  struct ArmText {
    Utf8Stream utf8;
    std::string text;
    std::vector<int32_t> ids;
    SequenceFinished finished;
  };

  absl::StatusOr<RequestSpec> Parse(const CallScope& scope,
                                    v1::GenerateResponse* started) override;
  bool RenderEvent(RequestEvent& event, v1::GenerateResponse* message) override;
  void RenderSummary(v1::GenerateResponse* message) override;

  const v1::GenerateRequest* const request_;
  AskedGeneration asked_;
  std::vector<ArmText> arms_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_GENERATE_STREAM_H_
