#include "server/grpc/generate_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/methods.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"

namespace alignsae {

GenerateStream::GenerateStream(const RpcEnv* env,
                               grpc::CallbackServerContext* context,
                               const v1::GenerateRequest* request)
    : ModelStream(env, kRpcGenerate, context), request_(request) {}

absl::StatusOr<RequestSpec> GenerateStream::Parse(const CallScope& scope) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed_, ParseGenerate(*request_, scope.parse_env(), RandomUint64()));
  arms_.resize(parsed_.arms.size());
  return parsed_.spec;
}

void GenerateStream::RenderStarted(v1::GenerateResponse* message) {
  RenderHead(model(), call().request_id(), parsed_.checkpoint, parsed_.seed,
             parsed_.spec, message->mutable_started());
}

bool GenerateStream::RenderEvent(RequestEvent& event,
                                 v1::GenerateResponse* message) {
  if (const auto* token = std::get_if<TokenEvent>(&event)) {
    ArmText& arm = arms_[token->sequence];
    v1::TokenDelta* delta = message->mutable_token();
    delta->set_arm(parsed_.arms[token->sequence]);
    *delta->mutable_token() = RenderToken(*token, model().tokenizer());
    delta->set_text(arm.utf8.Push(token->text));
    absl::StrAppend(&arm.text, delta->text());
  } else if (const auto* trace = std::get_if<TraceEvent>(&event)) {
    v1::TraceDelta* delta = message->mutable_trace();
    delta->set_arm(parsed_.arms[trace->sequence]);
    *delta->mutable_reading() =
        RenderReading(trace->reading, model().catalog());
  } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
    ArmText& arm = arms_[finished->sequence];
    v1::ArmFinished* delta = message->mutable_arm_finished();
    delta->set_arm(parsed_.arms[finished->sequence]);
    delta->set_text_tail(
        absl::StrCat(arm.utf8.Push(finished->text_tail), arm.utf8.Finish()));
    delta->set_finish_reason(RenderFinishReason(finished->reason));
    absl::StrAppend(&arm.text, delta->text_tail());
    call().AddTokens(finished->prompt_tokens, finished->generated_tokens);
    arm.finished = std::move(*finished);
  }
  return true;
}

void GenerateStream::RenderSummary(v1::GenerateResponse* message) {
  v1::GenerationSummary* summary = message->mutable_summary();
  for (size_t i = 0; i < arms_.size(); ++i) {
    v1::ArmResult* arm = summary->add_arms();
    *arm = RenderArm(parsed_.arms[i], parsed_.spec.sequences[i],
                     arms_[i].finished, model().catalog());
    arm->set_text(arms_[i].text);
  }
  summary->set_seed(parsed_.seed);
  summary->set_prompt_token_count(
      static_cast<int>(parsed_.spec.sequences[0].prompt.size()));
  *summary->mutable_info() =
      RenderInfo(model().catalog(), call().request_id(), parsed_.checkpoint);
}

}  // namespace alignsae
