// GenerateStream: one Generate call, token by token (see ModelStream).
//
// Thread-safety: see ModelStream.

#ifndef ALIGNSAE_SERVER_GRPC_GENERATE_STREAM_H_
#define ALIGNSAE_SERVER_GRPC_GENERATE_STREAM_H_

#include <string>
#include <vector>

#include "alignsae/v1/steering_service.pb.h"
#include "server/api/asked.h"
#include "server/api/utf8_stream.h"
#include "server/grpc/model_stream.h"

namespace alignsae {

class GenerateStream final : public ModelStream<v1::GenerateResponse> {
 public:
  // `request` lives until the call is finished.
  GenerateStream(const RpcEnv* env, grpc::CallbackServerContext* context,
                 const v1::GenerateRequest* request);

 private:
  // What an arm has said so far.
  struct ArmText {
    Utf8Stream utf8;
    std::string text;
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

#endif  // ALIGNSAE_SERVER_GRPC_GENERATE_STREAM_H_
