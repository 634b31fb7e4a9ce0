#include "server/grpc/steering_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/methods.h"
#include "server/api/parse.h"
#include "server/api/render_answer.h"
#include "server/grpc/generate_stream.h"
#include "server/grpc/sweep_stream.h"
#include "server/grpc/unary_call.h"

namespace alignsae {
namespace {

template <typename Response>
void RenderUnaryHead(const CallScope& scope, const ParsedGeneration& parsed,
                     Response* response) {
  RenderHead(*scope.model, scope.call->request_id(), parsed.checkpoint,
             parsed.seed, parsed.spec, response);
  response->set_prompt_token_count(response->prompt_token_ids_size());
}

v1::ArmResult RenderArmOf(const CallScope& scope,
                          const ParsedGeneration& parsed, size_t index,
                          const std::vector<SequenceAnswer>& answers) {
  return RenderWholeArm(parsed.arms[index], parsed.spec.sequences[index],
                        answers[index], *scope.model);
}

}  // namespace

grpc::ServerUnaryReactor* SteeringServiceImpl::Swap(
    grpc::CallbackServerContext* context, const v1::SwapRequest* request,
    v1::SwapResponse* response) {
  auto parsed = std::make_shared<ParsedGeneration>();
  return RunOnModel(
      env_, kRpcSwap, context,
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             *parsed, ParseSwap(*request, scope.parse_env(), RandomUint64()));
         return parsed->spec;
       },
       [=](const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         RenderUnaryHead(scope, *parsed, response);
         *response->mutable_baseline() =
             RenderArmOf(scope, *parsed, 0, answers);
         *response->mutable_steered() = RenderArmOf(scope, *parsed, 1, answers);
         return absl::OkStatus();
       }});
}

grpc::ServerUnaryReactor* SteeringServiceImpl::Complete(
    grpc::CallbackServerContext* context, const v1::CompleteRequest* request,
    v1::CompleteResponse* response) {
  auto parsed = std::make_shared<ParsedGeneration>();
  return RunOnModel(
      env_, kRpcComplete, context,
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             *parsed,
             ParseComplete(*request, scope.parse_env(), RandomUint64()));
         return parsed->spec;
       },
       [=](const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         RenderUnaryHead(scope, *parsed, response);
         for (size_t i = 0; i < answers.size(); ++i) {
           *response->add_arms() = RenderArmOf(scope, *parsed, i, answers);
         }
         return absl::OkStatus();
       }});
}

grpc::ServerWriteReactor<v1::GenerateResponse>* SteeringServiceImpl::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  const auto stream = std::make_shared<GenerateStream>(env_, context, request);
  stream->Begin();
  return stream.get();
}

grpc::ServerWriteReactor<v1::SweepAlphaResponse>*
SteeringServiceImpl::SweepAlpha(grpc::CallbackServerContext* context,
                                const v1::SweepAlphaRequest* request) {
  const auto stream = std::make_shared<SweepStream>(env_, context, request);
  stream->Begin();
  return stream.get();
}

}  // namespace alignsae
