#include "server/api/generate_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "server/api/parse_generation.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"
#include "server/api/render_side_effects.h"

namespace alignsae {

absl::StatusOr<RequestSpec> GenerateStream::Parse(
    const CallScope& scope, v1::GenerateResponse* started) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedGeneration parsed,
      ParseGenerate(*request_, scope.parse_env(), RandomUint64()));
  asked_ = std::move(parsed.asked);
  asked_.receipt_id = call().receipt_id();
  arms_.resize(asked_.arms.size());
  RenderHead(scope.model->catalog(), call().request_id(), asked_,
             parsed.spec.sequences[0].prompt, started->mutable_started());
  return std::move(parsed.spec);
}

bool GenerateStream::RenderEvent(RequestEvent& event,
                                 v1::GenerateResponse* message) {
  if (const auto* token = std::get_if<TokenEvent>(&event)) {
    ArmText& arm = arms_[token->sequence];
    v1::TokenDelta* delta = message->mutable_token();
    delta->set_arm(asked_.arms[token->sequence].arm);
    *delta->mutable_token() = RenderToken(*token, model().tokenizer());
    delta->set_text(arm.utf8.Push(token->text));
    absl::StrAppend(&arm.text, delta->text());
    arm.ids.push_back(token->token.token);
  } else if (const auto* prompt = std::get_if<PromptEvent>(&event)) {
    v1::PromptDelta* delta = message->mutable_prompt();
    delta->set_arm(asked_.arms[prompt->sequence].arm);
    delta->set_position(prompt->position);
    int position = prompt->position;
    for (const SampledToken& scored : prompt->tokens) {
      *delta->add_tokens() =
          RenderPromptToken(scored, position++, model().tokenizer());
    }
  } else if (const auto* trace = std::get_if<TraceEvent>(&event)) {
    v1::TraceDelta* delta = message->mutable_trace();
    delta->set_arm(asked_.arms[trace->sequence].arm);
    *delta->mutable_reading() =
        RenderReading(trace->reading, model().catalog());
  } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
    ArmText& arm = arms_[finished->sequence];
    v1::ArmFinished* delta = message->mutable_arm_finished();
    delta->set_arm(asked_.arms[finished->sequence].arm);
    delta->set_text_tail(
        absl::StrCat(arm.utf8.Push(finished->text_tail), arm.utf8.Finish()));
    delta->set_finish_reason(RenderFinishReason(finished->reason));
    absl::StrAppend(&arm.text, delta->text_tail());
    call().AddFinished(*finished);
    arm.finished = std::move(*finished);
  }
  return true;
}

void GenerateStream::RenderSummary(v1::GenerateResponse* message) {
  v1::GenerationSummary* summary = message->mutable_summary();
  for (size_t i = 0; i < arms_.size(); ++i) {
    v1::ArmResult* arm = summary->add_arms();
    *arm = RenderArm(asked_, i, arms_[i].finished, model().catalog());
    arm->set_text(arms_[i].text);
  }
  if (asked_.side_effects && arms_.size() == 2) {
    SetFirstDivergence(arms_[0].ids, arms_[1].ids, summary->mutable_arms(1));
  }
  summary->set_seed(asked_.seed);
  summary->set_prompt_token_count(arms_[0].finished.prompt_tokens);
  *summary->mutable_info() =
      RenderInfo(model().catalog(), call().request_id(), asked_.checkpoint);
}

}  // namespace alignsae
