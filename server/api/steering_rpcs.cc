#include "server/api/steering_rpcs.h"

#include <utility>
#include <vector>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/generate_stream.h"
#include "server/api/parse_generation.h"
#include "server/api/render_answer.h"
#include "server/api/sweep_stream.h"

namespace alignsae {
namespace {

// Keeps what the answer needs in `asked`, fills the answer's head and gives the
// request away.
template <typename Response>
RequestSpec TakeSpec(const CallScope& scope, ParsedGeneration parsed,
                     AskedGeneration& asked, Response* response) {
  asked = std::move(parsed.asked);
  RenderHead(scope.model->catalog(), scope.call->request_id(), asked,
             parsed.spec.sequences[0].prompt, response);
  response->set_prompt_token_count(response->prompt_token_ids_size());
  return std::move(parsed.spec);
}

v1::ArmResult RenderArmOf(const CallScope& scope, const AskedGeneration& asked,
                          size_t index,
                          const std::vector<SequenceAnswer>& answers) {
  return RenderWholeArm(asked, index, answers[index], scope.model->catalog(),
                        scope.model->tokenizer());
}

}  // namespace

void Swap(std::shared_ptr<Call> call, const v1::SwapRequest* request,
          v1::SwapResponse* response, Done done) {
  auto asked = std::make_shared<AskedGeneration>();
  RunOnModel(
      std::move(call),
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             ParsedGeneration parsed,
             ParseSwap(*request, scope.parse_env(), RandomUint64()));
         return TakeSpec(scope, std::move(parsed), *asked, response);
       },
       [=](const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         *response->mutable_baseline() = RenderArmOf(scope, *asked, 0, answers);
         *response->mutable_steered() = RenderArmOf(scope, *asked, 1, answers);
         return absl::OkStatus();
       }},
      std::move(done));
}

void Complete(std::shared_ptr<Call> call, const v1::CompleteRequest* request,
              v1::CompleteResponse* response, Done done) {
  auto asked = std::make_shared<AskedGeneration>();
  RunOnModel(
      std::move(call),
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             ParsedGeneration parsed,
             ParseComplete(*request, scope.parse_env(), RandomUint64()));
         return TakeSpec(scope, std::move(parsed), *asked, response);
       },
       [=](const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         for (size_t i = 0; i < answers.size(); ++i) {
           *response->add_arms() = RenderArmOf(scope, *asked, i, answers);
         }
         return absl::OkStatus();
       }},
      std::move(done));
}

std::shared_ptr<ModelStream<v1::GenerateResponse>> Generate(
    std::shared_ptr<Call> call, const v1::GenerateRequest* request,
    std::shared_ptr<StreamSink<v1::GenerateResponse>> sink) {
  return std::make_shared<GenerateStream>(std::move(call), request,
                                          std::move(sink));
}

std::shared_ptr<ModelStream<v1::SweepAlphaResponse>> SweepAlpha(
    std::shared_ptr<Call> call, const v1::SweepAlphaRequest* request,
    std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink) {
  return std::make_shared<SweepStream>(std::move(call), request,
                                       std::move(sink));
}

}  // namespace alignsae
