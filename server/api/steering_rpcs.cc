#include "server/api/steering_rpcs.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/generate_stream.h"
#include "server/api/matrix_stream.h"
#include "server/api/parse_generation.h"
#include "server/api/render_answer.h"
#include "server/api/render_side_effects.h"
#include "server/api/sweep_stream.h"

namespace alignsae {
namespace {

std::vector<int32_t> AnswerIds(const SequenceAnswer& answer) {
  std::vector<int32_t> ids;
  for (const TokenEvent& event : answer.tokens) {
    ids.push_back(event.token.token);
  }
  return ids;
}

// Runs the arms of a request to their end. `parse` makes the request of the
// message; `arm` gives the place of an arm in the answer, by the index of its
// sequence.
template <typename Request, typename Response>
void RunArms(std::shared_ptr<Call> call, const Request* request,
             Response* response,
             absl::StatusOr<ParsedGeneration> (*parse)(const Request&,
                                                       const ParseEnv&,
                                                       uint64_t fresh_seed),
             v1::ArmResult* (*arm)(Response*, size_t index), Done done) {
  call->AskFor(request->model());
  auto asked = std::make_shared<AskedGeneration>();
  RunOnModel(
      std::move(call),
      {static_cast<int64_t>(request->ByteSizeLong()),
       [=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             ParsedGeneration parsed,
             parse(*request, scope.parse_env(), RandomUint64()));
         *asked = std::move(parsed.asked);
         asked->receipt_id = scope.call->receipt_id();
         RenderHead(scope.model->catalog(), scope.call->request_id(), *asked,
                    parsed.spec.sequences[0].prompt, response);
         response->set_prompt_token_count(response->prompt_token_ids_size());
         return std::move(parsed.spec);
       },
       [=](const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         v1::ArmResult* last = nullptr;
         for (size_t i = 0; i < asked->arms.size(); ++i) {
           last = arm(response, i);
           *last = RenderWholeArm(*asked, i, answers[i], scope.model->catalog(),
                                  scope.model->tokenizer());
         }
         if (asked->side_effects && asked->arms.size() == 2) {
           SetFirstDivergence(AnswerIds(answers[0]), AnswerIds(answers[1]),
                              last);
         }
         return absl::OkStatus();
       }},
      std::move(done));
}

}  // namespace

void Swap(std::shared_ptr<Call> call, const v1::SwapRequest* request,
          v1::SwapResponse* response, Done done) {
  RunArms<v1::SwapRequest, v1::SwapResponse>(
      std::move(call), request, response, &ParseSwap,
      [](v1::SwapResponse* answer, size_t index) {
        return index == 0 ? answer->mutable_baseline()
                          : answer->mutable_steered();
      },
      std::move(done));
}

void Complete(std::shared_ptr<Call> call, const v1::CompleteRequest* request,
              v1::CompleteResponse* response, Done done) {
  RunArms<v1::CompleteRequest, v1::CompleteResponse>(
      std::move(call), request, response, &ParseComplete,
      [](v1::CompleteResponse* answer, size_t) { return answer->add_arms(); },
      std::move(done));
}

std::shared_ptr<ModelStream<v1::GenerateResponse>> Generate(
    std::shared_ptr<Call> call, const v1::GenerateRequest* request,
    std::shared_ptr<StreamSink<v1::GenerateResponse>> sink) {
  call->AskFor(request->model());
  return std::make_shared<GenerateStream>(std::move(call), request,
                                          std::move(sink));
}

std::shared_ptr<ModelStream<v1::SweepAlphaResponse>> SweepAlpha(
    std::shared_ptr<Call> call, const v1::SweepAlphaRequest* request,
    std::shared_ptr<StreamSink<v1::SweepAlphaResponse>> sink) {
  call->AskFor(request->model());
  return std::make_shared<SweepStream>(std::move(call), request,
                                       std::move(sink));
}

std::shared_ptr<ModelStream<v1::SwapMatrixResponse>> SwapMatrix(
    std::shared_ptr<Call> call, const v1::SwapMatrixRequest* request,
    std::shared_ptr<StreamSink<v1::SwapMatrixResponse>> sink) {
  call->AskFor(request->model());
  return std::make_shared<MatrixStream>(std::move(call), request,
                                        std::move(sink));
}

}  // namespace alignsae
