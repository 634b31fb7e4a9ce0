#include "server/rpc/steering_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/rpc/generate_stream.h"
#include "server/rpc/methods.h"
#include "server/rpc/parse.h"
#include "server/rpc/random_id.h"
#include "server/rpc/render_answer.h"
#include "server/rpc/render_catalog.h"
#include "server/rpc/unary_call.h"

namespace alignsae {
namespace {

// What both unary answers say about themselves.
template <typename Response>
void RenderHead(const CallScope& scope, const ParsedGeneration& parsed,
                Response* response) {
  const Catalog& catalog = *scope.serving->catalog;
  *response->mutable_info() =
      RenderInfo(catalog, scope.call->request_id(), parsed.checkpoint);
  const std::vector<int32_t>& prompt = parsed.spec.sequences[0].prompt;
  response->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  response->set_prompt_token_count(static_cast<int>(prompt.size()));
  if (parsed.checkpoint.has_value()) {
    *response->mutable_concepts() =
        RenderLabels(catalog.checkpoints[*parsed.checkpoint]);
  }
  response->set_seed(parsed.seed);
}

}  // namespace

grpc::ServerUnaryReactor* SteeringServiceImpl::Swap(
    grpc::CallbackServerContext* context, const v1::SwapRequest* request,
    v1::SwapResponse* response) {
  auto parsed = std::make_shared<ParsedGeneration>();
  return RunOnModel(
      env_, kSwap, context,
      [=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
        ALIGNSAE_ASSIGN_OR_RETURN(
            *parsed, ParseSwap(*request, scope.parse_env(), RandomUint64()));
        return parsed->spec;
      },
      [=](const CallScope& scope, const std::vector<SequenceAnswer>& answers) {
        RenderHead(scope, *parsed, response);
        *response->mutable_baseline() =
            RenderWholeArm(*parsed, 0, answers[0], *scope.serving);
        *response->mutable_steered() =
            RenderWholeArm(*parsed, 1, answers[1], *scope.serving);
      });
}

grpc::ServerUnaryReactor* SteeringServiceImpl::Complete(
    grpc::CallbackServerContext* context, const v1::CompleteRequest* request,
    v1::CompleteResponse* response) {
  auto parsed = std::make_shared<ParsedGeneration>();
  return RunOnModel(
      env_, kComplete, context,
      [=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
        ALIGNSAE_ASSIGN_OR_RETURN(
            *parsed,
            ParseComplete(*request, scope.parse_env(), RandomUint64()));
        return parsed->spec;
      },
      [=](const CallScope& scope, const std::vector<SequenceAnswer>& answers) {
        RenderHead(scope, *parsed, response);
        for (size_t i = 0; i < answers.size(); ++i) {
          *response->add_arms() = RenderWholeArm(*parsed, static_cast<int>(i),
                                                 answers[i], *scope.serving);
        }
      });
}

grpc::ServerWriteReactor<v1::GenerateResponse>* SteeringServiceImpl::Generate(
    grpc::CallbackServerContext* context, const v1::GenerateRequest* request) {
  return GenerateStream::Start(env_, context, request);
}

}  // namespace alignsae
