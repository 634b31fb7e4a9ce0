#include "server/api/explain_slot.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/asked_changes.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/render_catalog.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

constexpr int kDefaultTokens = 10;
// Of the four lists of one token: pieces are short, messages are not.
constexpr int64_t kBytesPerToken = 4 * 160;

struct Explained {
  int checkpoint = 0;
  int slot = 0;
  std::string concept_name;  // Empty: a free feature.
  int top_k = 0;
};

absl::StatusOr<int> ParseTokens(const v1::ExplainSlotRequest& wire,
                                const ParseEnv& env) {
  const int limit = env.limits->max_top_features;
  const int wanted = wire.has_top_k() ? wire.top_k() : kDefaultTokens;
  if (wanted < 1 || wanted > limit) {
    return InvalidField("top_k", absl::StrCat("be in [1, ", limit, "]"),
                        wanted);
  }
  return std::min(wanted, env.catalog->model.vocab_size);
}

absl::StatusOr<Explained> Parse(const v1::ExplainSlotRequest& wire,
                                const ParseEnv& env) {
  Explained parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  const CheckpointInfo& checkpoint =
      env.catalog->checkpoints[parsed.checkpoint];
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.slot, InField("slot", ParseConcept(wire.slot(), checkpoint)));
  parsed.concept_name = ConceptAt(checkpoint, parsed.slot);
  if (parsed.concept_name.empty() && !checkpoint.whole_sae_loaded) {
    return FieldStatus(
        {"slot", "be a concept's when only concept slots are loaded",
         absl::StrCat(parsed.slot, "; the server needs --whole-sae")},
        absl::StatusCode::kFailedPrecondition);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.top_k, ParseTokens(wire, env));
  return parsed;
}

void RenderTokens(const std::vector<TokenEffect>& tokens,
                  const Tokenizer& tokenizer,
                  google::protobuf::RepeatedPtrField<v1::TokenEffect>* out) {
  for (const TokenEffect& token : tokens) {
    v1::TokenEffect* row = out->Add();
    row->set_token_id(token.token);
    row->set_piece(std::string(PieceBytes(tokenizer, token.token)));
    row->set_logit(token.logit);
  }
}

v1::DirectEffect RenderEffect(const DirectEffect& effect,
                              const Tokenizer& tokenizer) {
  v1::DirectEffect out;
  RenderTokens(effect.top, tokenizer, out.mutable_top());
  RenderTokens(effect.bottom, tokenizer, out.mutable_bottom());
  return out;
}

absl::Status DoExplainSlot(const CallScope& scope,
                           const v1::ExplainSlotRequest& request,
                           v1::ExplainSlotResponse* response) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Explained parsed,
                            Parse(request, scope.parse_env()));
  const CheckpointInfo& checkpoint =
      scope.model->catalog().checkpoints[parsed.checkpoint];
  ALIGNSAE_RETURN_IF_ERROR(scope.call->Permit({{checkpoint.name}, {}, {}}, 0));
  ALIGNSAE_RETURN_IF_ERROR(scope.call->Hold(kBytesPerToken * parsed.top_k));
  ALIGNSAE_ASSIGN_OR_RETURN(const SlotExplanation explanation,
                            scope.model->executor().ExplainSlot(
                                parsed.checkpoint, parsed.slot, parsed.top_k));
  const Catalog& catalog = scope.model->catalog();
  const Tokenizer& tokenizer = scope.model->tokenizer();
  *response->mutable_info() =
      RenderInfo(catalog, scope.call->request_id(), parsed.checkpoint);
  response->set_slot(parsed.slot);
  response->set_concept_name(parsed.concept_name);
  *response->mutable_hook_point() = RenderHook(checkpoint.hook);
  response->set_direction_norm(explanation.direction_norm);
  if (explanation.without_ln_f.has_value()) {
    *response->mutable_without_ln_f() =
        RenderEffect(*explanation.without_ln_f, tokenizer);
  }
  *response->mutable_with_ln_f() =
      RenderEffect(explanation.with_ln_f, tokenizer);
  return absl::OkStatus();
}

}  // namespace

void ExplainSlot(std::shared_ptr<Call> call,
                 const v1::ExplainSlotRequest* request,
                 v1::ExplainSlotResponse* response, Done done) {
  call->AskFor(request->model());
  RunDirect(std::move(call),
            {.run =
                 [=](const CallScope& scope) {
                   return DoExplainSlot(scope, *request, response);
                 },
             .request_bytes = static_cast<int64_t>(request->ByteSizeLong()),
             .slow = true},
            std::move(done));
}

}  // namespace alignsae
