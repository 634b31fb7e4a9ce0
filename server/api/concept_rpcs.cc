#include "server/api/concept_rpcs.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/base/status_macros.h"
#include "server/api/held_bytes.h"
#include "server/api/parse_readout.h"
#include "server/api/render_answer.h"
#include "server/api/validate_stream.h"
#include "server/api/watch_stream.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

// What is known of the answer before the model runs.
void RenderAskedRead(const CallScope& scope, const ParsedReadout& parsed,
                     v1::ReadConceptsResponse* response) {
  RenderReadoutHead(scope.model->catalog(), scope.call->request_id(),
                    parsed.checkpoint, response);
  int tokens = 0;
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    response->add_readings()->mutable_prompt_token_ids()->Assign(
        sequence.prompt.begin(), sequence.prompt.end());
    tokens += static_cast<int>(sequence.prompt.size());
  }
  response->set_prompt_token_count(tokens);
}

void RenderAskedInspection(const CallScope& scope, const ParsedReadout& parsed,
                           v1::InspectSlotsResponse* response) {
  RenderReadoutHead(scope.model->catalog(), scope.call->request_id(),
                    parsed.checkpoint, response);
  const std::vector<int32_t>& prompt = parsed.spec.sequences[0].prompt;
  response->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  response->set_top_k(parsed.top_k);
}

// Positions whose features are read in one turn of the background lane: as many
// as the reader takes at once (model/engine/feature_reader.cc).
constexpr size_t kPositionsPerTurn = 32;

// The features from `begin` on, which it moves; whether those were the last.
absl::StatusOr<bool> ReadSomeFeatures(const CallScope& scope,
                                      std::vector<ConceptReading>& readings,
                                      int top_k, size_t& begin) {
  const absl::Span<ConceptReading> some =
      absl::MakeSpan(readings).subspan(begin, kPositionsPerTurn);
  ALIGNSAE_RETURN_IF_ERROR(scope.model->executor().ReadFeatures(
      some, top_k, [call = scope.call] { return call->WhyStop(); }));
  begin += some.size();
  return begin == readings.size();
}

void RenderInspection(const CallScope& scope,
                      const std::vector<SequenceAnswer>& answers,
                      v1::InspectSlotsResponse* response) {
  const ServedModel& model = *scope.model;
  for (const ConceptReading& reading : answers[0].finished.readings) {
    v1::TokenSlots* row = response->add_tokens();
    const int32_t id = response->prompt_token_ids(reading.position);
    row->set_token_id(id);
    row->set_piece(std::string(PieceBytes(model.tokenizer(), id)));
    *row->mutable_reading() = RenderReading(reading, model.catalog());
    if (response->top_k() > 0) {
      RenderFeatures(reading, row->mutable_features());
    }
  }
}

}  // namespace

void ReadConcepts(std::shared_ptr<Call> call,
                  const v1::ReadConceptsRequest* request,
                  v1::ReadConceptsResponse* response, Done done) {
  call->AskFor(request->model());
  RunOnModel(
      std::move(call),
      {static_cast<int64_t>(request->ByteSizeLong()),
       [=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             ParsedReadout parsed,
             ParseReadConcepts(*request, scope.parse_env()));
         RenderAskedRead(scope, parsed, response);
         return std::move(parsed.spec);
       },
       [=](const CallScope& scope,
           std::vector<SequenceAnswer>& answers) -> absl::Status {
         const Catalog& catalog = scope.model->catalog();
         for (size_t i = 0; i < answers.size(); ++i) {
           *response->mutable_readings(static_cast<int>(i))->mutable_reading() =
               RenderReading(WholeReading(answers[i].finished, catalog),
                             catalog);
         }
         return absl::OkStatus();
       }},
      std::move(done));
}

void InspectSlots(std::shared_ptr<Call> call,
                  const v1::InspectSlotsRequest* request,
                  v1::InspectSlotsResponse* response, Done done) {
  call->AskFor(request->model());
  RunOnModel(
      std::move(call),
      {static_cast<int64_t>(request->ByteSizeLong()),
       [=](const CallScope& scope) -> absl::StatusOr<RequestSpec> {
         ALIGNSAE_ASSIGN_OR_RETURN(
             ParsedReadout parsed,
             ParseInspectSlots(*request, scope.parse_env()));
         RenderAskedInspection(scope, parsed, response);
         return std::move(parsed.spec);
       },
       [=](const CallScope& scope,
           std::vector<SequenceAnswer>& answers) -> absl::Status {
         RenderInspection(scope, answers, response);
         return absl::OkStatus();
       },
       [=, begin = std::make_shared<size_t>(0)](
           const CallScope& scope, std::vector<SequenceAnswer>& answers) {
         return ReadSomeFeatures(scope, answers[0].finished.readings,
                                 response->top_k(), *begin);
       },
       [=](const RequestSpec& spec) {
         return HeldFeatureBytes(
             static_cast<int64_t>(
                 spec.sequences[0].observations[0].positions.size()),
             response->top_k());
       }},
      std::move(done));
}

std::shared_ptr<AnswerStream> WatchSlots(
    std::shared_ptr<Call> call, const v1::WatchSlotsRequest* request,
    std::shared_ptr<StreamSink<v1::WatchSlotsResponse>> sink) {
  return std::make_shared<WatchStream>(std::move(call), request,
                                       std::move(sink));
}

std::shared_ptr<AnswerStream> ValidateBinding(
    std::shared_ptr<Call> call, const v1::ValidateBindingRequest* request,
    std::shared_ptr<StreamSink<v1::ValidateBindingResponse>> sink) {
  call->AskFor(request->model());
  return std::make_shared<ValidateStream>(std::move(call), request,
                                          std::move(sink));
}

}  // namespace alignsae
