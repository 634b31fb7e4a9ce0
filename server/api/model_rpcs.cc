#include "server/api/model_rpcs.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "server/api/held_bytes.h"
#include "server/api/parse_model.h"
#include "server/api/render_catalog.h"
#include "server/api/reply_size.h"
#include "server/api/utf8_stream.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

// These answers name the default checkpoint.
v1::AnswerInfo InfoOf(const CallScope& scope) {
  const Catalog& catalog = scope.model->catalog();
  return RenderInfo(
      catalog, scope.call->request_id(),
      catalog.checkpoints.empty() ? std::nullopt : std::optional<int>(0));
}

absl::Status DoGetModel(const CallScope& scope,
                        v1::GetModelResponse* response) {
  const Catalog& catalog = scope.model->catalog();
  ALIGNSAE_RETURN_IF_ERROR(
      scope.call->Hold(HeldCatalogBytes(catalog, {}, false)));
  *response->mutable_info() = InfoOf(scope);
  *response->mutable_model() = RenderModel(catalog.model);
  for (const CheckpointInfo& checkpoint : catalog.checkpoints) {
    if (!scope.call->SeesCheckpoint(checkpoint.name)) continue;
    *response->add_checkpoints() = RenderCheckpoint(checkpoint);
  }
  *response->mutable_limits() = RenderLimits(
      scope.call->env().config, scope.model->executor().kv_tokens());
  response->set_server_version(kVersion);
  response->set_bundle(catalog.bundle_name);
  for (std::string& name : scope.call->env().models->Names()) {
    if (scope.call->SeesModel(name)) {
      response->add_served_models(std::move(name));
    }
  }
  return absl::OkStatus();
}

absl::Status DoListConcepts(const CallScope& scope,
                            const v1::ListConceptsRequest& request,
                            v1::ListConceptsResponse* response) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<int> checkpoints,
                            ParseListConcepts(request, scope.parse_env()));
  ALIGNSAE_RETURN_IF_ERROR(scope.call->Hold(HeldCatalogBytes(
      scope.model->catalog(), checkpoints, request.include_evaluation())));
  *response->mutable_info() = InfoOf(scope);
  for (int checkpoint : checkpoints) {
    const CheckpointInfo& info = scope.model->catalog().checkpoints[checkpoint];
    if (!request.checkpoint().empty()) {
      ALIGNSAE_RETURN_IF_ERROR(scope.call->Permit({{info.name}, {}, {}}, 0));
    }
    if (!scope.call->SeesCheckpoint(info.name)) continue;
    *response->add_checkpoints() =
        RenderConcepts(info, request.include_evaluation());
  }
  return absl::OkStatus();
}

absl::Status DoTokenize(const CallScope& scope,
                        const v1::TokenizeRequest& request,
                        v1::TokenizeResponse* response) {
  ALIGNSAE_ASSIGN_OR_RETURN(ParsedText parsed,
                            ParseTokenize(request, scope.parse_env()));
  const Tokenizer& tokenizer = scope.model->tokenizer();
  *response->mutable_info() = InfoOf(scope);
  for (const Tokenizer::EncodedToken& encoded : tokenizer.EncodeWithOffsets(
           parsed.text, {.parse_special = parsed.parse_special,
                        .special_in = parsed.of_template})) {
    v1::TokenPiece* token = response->add_tokens();
    token->set_id(encoded.id);
    token->set_piece(std::string(PieceBytes(tokenizer, encoded.id)));
    token->set_byte_offset(static_cast<int>(encoded.begin));
    token->set_special(tokenizer.IsSpecial(encoded.id));
  }
  scope.call->HoldOnly(HeldTokenizeBytes(
      response->tokens_size(), static_cast<int64_t>(parsed.text.size())));
  response->set_text(std::move(parsed.text));
  return InField("text",
                 CheckReplyBytes(static_cast<int64_t>(response->ByteSizeLong()),
                                 scope.parse_env()));
}

absl::Status DoDetokenize(const CallScope& scope,
                          const v1::DetokenizeRequest& request,
                          v1::DetokenizeResponse* response) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                            ParseDetokenize(request, scope.parse_env()));
  size_t total = 0;
  for (int32_t id : ids) {
    total += PieceBytes(scope.model->tokenizer(), id).size();
  }
  ALIGNSAE_RETURN_IF_ERROR(
      scope.call->Hold(HeldDetokenizeBytes(static_cast<int64_t>(total))));
  std::string bytes;
  bytes.reserve(total);
  for (int32_t id : ids) {
    const absl::string_view piece = PieceBytes(scope.model->tokenizer(), id);
    bytes.append(piece.data(), piece.size());
  }
  *response->mutable_info() = InfoOf(scope);
  response->set_text(ToUtf8(bytes));
  response->set_raw(std::move(bytes));
  return InField("token_ids",
                 CheckReplyBytes(static_cast<int64_t>(response->ByteSizeLong()),
                                 scope.parse_env()));
}

}  // namespace

void GetModel(std::shared_ptr<Call> call, const v1::GetModelRequest* request,
              v1::GetModelResponse* response, Done done) {
  call->AskFor(request->model());
  RunDirect(std::move(call), {[=](const CallScope& scope) {
              return DoGetModel(scope, response);
            }},
            std::move(done));
}

void ListConcepts(std::shared_ptr<Call> call,
                  const v1::ListConceptsRequest* request,
                  v1::ListConceptsResponse* response, Done done) {
  call->AskFor(request->model());
  RunDirect(std::move(call),
            {[=](const CallScope& scope) {
               return DoListConcepts(scope, *request, response);
             },
             static_cast<int64_t>(request->ByteSizeLong())},
            std::move(done));
}

void Tokenize(std::shared_ptr<Call> call, const v1::TokenizeRequest* request,
              v1::TokenizeResponse* response, Done done) {
  call->AskFor(request->model());
  const auto bytes = static_cast<int64_t>(request->ByteSizeLong());
  // What is longer is refused before anything is made of it.
  const int64_t text =
      std::min<int64_t>(bytes, call->env().config.limits.max_prompt_bytes);
  RunDirect(std::move(call),
            {[=](const CallScope& scope) {
               return DoTokenize(scope, *request, response);
             },
             bytes, HeldTokenizeBytes(text, text)},
            std::move(done));
}

void Detokenize(std::shared_ptr<Call> call,
                const v1::DetokenizeRequest* request,
                v1::DetokenizeResponse* response, Done done) {
  call->AskFor(request->model());
  RunDirect(std::move(call),
            {[=](const CallScope& scope) {
               return DoDetokenize(scope, *request, response);
             },
             // A packed id is a byte or more on the wire and four here.
             int64_t{4} * request->token_ids_size()},
            std::move(done));
}

}  // namespace alignsae
