#include "server/grpc/concept_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/api/methods.h"
#include "server/api/parse.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"
#include "server/grpc/unary_call.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

// What both answers say about themselves.
template <typename Response>
void RenderHead(const CallScope& scope, int checkpoint, Response* response) {
  const Catalog& catalog = scope.model->catalog();
  const CheckpointInfo& info = catalog.checkpoints[checkpoint];
  *response->mutable_info() =
      RenderInfo(catalog, scope.call->request_id(), checkpoint);
  *response->mutable_concepts() = RenderLabels(info);
  *response->mutable_hook_point() = RenderHook(info.hook);
}

void RenderRead(const CallScope& scope, const ParsedReadout& parsed,
                const std::vector<SequenceAnswer>& answers,
                v1::ReadConceptsResponse* response) {
  RenderHead(scope, parsed.checkpoint, response);
  int tokens = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    v1::PromptReading* row = response->add_readings();
    const std::vector<int32_t>& prompt = parsed.spec.sequences[i].prompt;
    row->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
    *row->mutable_reading() = RenderReading(
        answers[i].finished.readings.front(), scope.model->catalog());
    tokens += static_cast<int>(prompt.size());
  }
  response->set_prompt_token_count(tokens);
}

void RenderInspection(const CallScope& scope, const ParsedReadout& parsed,
                      const std::vector<SequenceAnswer>& answers,
                      v1::InspectSlotsResponse* response) {
  RenderHead(scope, parsed.checkpoint, response);
  const ServedModel& model = *scope.model;
  const std::vector<int32_t>& prompt = parsed.spec.sequences[0].prompt;
  for (const ConceptReading& reading : answers[0].finished.readings) {
    v1::TokenSlots* row = response->add_tokens();
    const int32_t id = prompt[reading.position];
    row->set_token_id(id);
    row->set_piece(std::string(PieceBytes(model.tokenizer(), id)));
    *row->mutable_reading() = RenderReading(reading, model.catalog());
    if (parsed.top_k > 0) *row->mutable_features() = RenderFeatures(reading);
  }
  response->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  response->set_top_k(parsed.top_k);
}

}  // namespace

grpc::ServerUnaryReactor* ConceptServiceImpl::ReadConcepts(
    grpc::CallbackServerContext* context,
    const v1::ReadConceptsRequest* request,
    v1::ReadConceptsResponse* response) {
  auto parsed = std::make_shared<ParsedReadout>();
  return RunOnModel(
      env_, kRpcReadConcepts, context,
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             *parsed, ParseReadConcepts(*request, scope.parse_env()));
         return parsed->spec;
       },
       [=](const CallScope& scope,
           std::vector<SequenceAnswer>& answers) -> absl::Status {
         RenderRead(scope, *parsed, answers, response);
         return absl::OkStatus();
       }});
}

grpc::ServerUnaryReactor* ConceptServiceImpl::InspectSlots(
    grpc::CallbackServerContext* context,
    const v1::InspectSlotsRequest* request,
    v1::InspectSlotsResponse* response) {
  auto parsed = std::make_shared<ParsedReadout>();
  AnswerWork encode = [=](const CallScope& scope,
                          std::vector<SequenceAnswer>& answers) {
    return scope.model->executor().ReadFeatures(
        absl::MakeSpan(answers[0].finished.readings), parsed->top_k,
        [call = scope.call] { return call->WhyStop(); });
  };
  return RunOnModel(
      env_, kRpcInspectSlots, context,
      {[=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             *parsed, ParseInspectSlots(*request, scope.parse_env()));
         return parsed->spec;
       },
       [=](const CallScope& scope,
           std::vector<SequenceAnswer>& answers) -> absl::Status {
         RenderInspection(scope, *parsed, answers, response);
         return absl::OkStatus();
       },
       request->top_k() > 0 ? std::move(encode) : nullptr});
}

}  // namespace alignsae
