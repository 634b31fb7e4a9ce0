#include "server/api/render_answer.h"

#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "model/scheduler/mean_reading.h"
#include "server/api/asked_changes.h"
#include "server/api/render_side_effects.h"
#include "server/api/utf8_stream.h"
#include "server/api/wire_mode.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

v1::PositionEffect RenderEffect(const PositionEffect& effect,
                                const CheckpointInfo& checkpoint) {
  v1::PositionEffect wire;
  wire.set_position(effect.position);
  wire.set_residual_norm(effect.residual_norm);
  wire.set_change_norm(effect.change_norm);
  if (effect.source_slot >= 0) {
    wire.set_source_slot(effect.source_slot);
    wire.set_source_concept(ConceptAt(checkpoint, effect.source_slot));
    wire.set_source_before(effect.source_before);
    wire.set_source_after(effect.source_after);
  }
  wire.set_target_before(effect.target_before);
  wire.set_target_after(effect.target_after);
  return wire;
}

void RenderAlternatives(
    const std::vector<TokenLogprob>& top, const Tokenizer& tokenizer,
    google::protobuf::RepeatedPtrField<v1::TokenLogprob>* wire) {
  for (const TokenLogprob& other : top) {
    v1::TokenLogprob* row = wire->Add();
    row->set_id(other.token);
    row->set_logprob(other.logprob);
    row->set_piece(std::string(TextBytes(tokenizer, other.token)));
  }
}

double NormOf(const std::vector<float>& values) {
  double sum = 0;
  for (double value : values) sum += value * value;
  return std::sqrt(sum);
}

void RenderSlots(const Intervention& intervention,
                 const CheckpointInfo& checkpoint,
                 v1::InterventionReceipt& wire) {
  wire.set_checkpoint(checkpoint.name);
  wire.set_target_slot(intervention.target_slot);
  wire.set_target_concept(ConceptAt(checkpoint, intervention.target_slot));
  if (!intervention.source_slot.has_value()) return;
  wire.set_source_slot(*intervention.source_slot);
  wire.set_source_concept(ConceptAt(checkpoint, *intervention.source_slot));
}

}  // namespace

ConceptReading WholeReading(const SequenceFinished& finished,
                            const Catalog& catalog) {
  const int checkpoint = finished.readings.front().checkpoint;
  return MeanReading(finished.readings,
                     catalog.checkpoints[checkpoint].concepts);
}

v1::ConceptReading RenderReading(const ConceptReading& reading,
                                 const Catalog& catalog) {
  v1::ConceptReading wire;
  wire.set_position(reading.position);
  if (reading.positions > 1) wire.set_mean_of(reading.positions);
  wire.mutable_values()->Assign(reading.values.begin(), reading.values.end());
  wire.mutable_probabilities()->Assign(reading.probabilities.begin(),
                                       reading.probabilities.end());
  // A checkpoint without concepts (a plain SAE) has no top one.
  if (!reading.values.empty()) {
    wire.set_top_concept(
        catalog.checkpoints[reading.checkpoint].concepts[reading.top].name);
    wire.set_top_index(reading.top);
  }
  wire.set_margin(reading.margin);
  wire.set_bound(reading.bound);
  if (reading.outside_ratio.has_value()) {
    wire.set_outside(reading.outside());
    wire.set_outside_ratio(*reading.outside_ratio);
  } else {
    wire.set_outside_absence(v1::OUTSIDE_ABSENCE_NO_GATE);
  }
  return wire;
}

void RenderFeatures(const ConceptReading& reading, v1::FeatureSummary* wire) {
  wire->mutable_top_features()->Reserve(
      static_cast<int>(reading.top_features.size()));
  for (const ConceptReading::FeatureValue& feature : reading.top_features) {
    v1::FeatureValue* row = wire->add_top_features();
    row->set_feature(feature.feature);
    row->set_value(feature.value);
  }
  wire->set_l0(reading.l0);
  wire->set_reconstruction_error(reading.reconstruction_error);
  wire->set_residual_norm(reading.residual_norm);
}

v1::PromptToken RenderPromptToken(const SampledToken& token, int position,
                                  const Tokenizer& tokenizer) {
  v1::PromptToken wire;
  wire.set_id(token.token);
  wire.set_piece(std::string(TextBytes(tokenizer, token.token)));
  if (position == 0) return wire;
  wire.set_logprob(token.logprob);
  RenderAlternatives(token.top, tokenizer, wire.mutable_top_logprobs());
  return wire;
}

v1::Token RenderToken(const TokenEvent& event, const Tokenizer& tokenizer) {
  v1::Token wire;
  wire.set_id(event.token.token);
  wire.set_piece(std::string(TextBytes(tokenizer, event.token.token)));
  wire.set_logprob(event.token.logprob);
  wire.set_position(event.position);
  RenderAlternatives(event.token.top, tokenizer, wire.mutable_top_logprobs());
  return wire;
}

v1::FinishReason RenderFinishReason(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEos:
      return v1::FINISH_REASON_EOS;
    case FinishReason::kLength:
      return v1::FINISH_REASON_LENGTH;
    case FinishReason::kStop:
      return v1::FINISH_REASON_STOP;
    case FinishReason::kCancelled:
      return v1::FINISH_REASON_CANCELLED;
    case FinishReason::kAborted:
      return v1::FINISH_REASON_ABORTED;
    case FinishReason::kGuard:
      return v1::FINISH_REASON_GUARD;
  }
  return v1::FINISH_REASON_UNSPECIFIED;  // Every enumerator is above.
}

v1::InterventionReceipt RenderReceipt(const Intervention& intervention,
                                      const InterventionReceipt& receipt,
                                      const Catalog& catalog) {
  v1::InterventionReceipt wire;
  wire.set_mode(ToWire(intervention.mode));
  // Of a vector, whose effects name no slots.
  static const CheckpointInfo* const none = new CheckpointInfo();
  const CheckpointInfo& checkpoint =
      intervention.vector == nullptr
          ? catalog.checkpoints[intervention.checkpoint]
          : *none;
  if (intervention.vector != nullptr) {
    wire.set_vector_norm(NormOf(intervention.vector->values));
  } else {
    RenderSlots(intervention, checkpoint, wire);
  }
  *wire.mutable_hook_point() = RenderHook(catalog.HookOf(intervention));
  if (HasAlpha(intervention.mode)) {
    wire.set_alpha(intervention.alpha);
  }
  if (HasAlphaUnit(intervention.mode)) {
    wire.set_unit(intervention.unit == AlphaUnit::kRaw
                      ? v1::ALPHA_UNIT_RAW
                      : v1::ALPHA_UNIT_ACTIVE_MEAN);
  }
  wire.set_positions_applied(receipt.positions_applied);
  wire.set_generation_id(catalog.generation);
  if (intervention.when.has_value()) {
    wire.set_condition(receipt.positions_applied > 0);
    wire.set_positions_checked(receipt.positions_checked);
  }
  for (const PositionEffect& effect : receipt.effects) {
    *wire.add_effects() = RenderEffect(effect, checkpoint);
  }
  return wire;
}

v1::ArmResult RenderArm(const AskedGeneration& asked, size_t index,
                        const SequenceFinished& finished,
                        const Catalog& catalog) {
  v1::ArmResult wire;
  const AskedArm& arm = asked.arms[index];
  wire.set_arm(arm.arm);
  wire.set_finish_reason(RenderFinishReason(finished.reason));
  wire.set_generated_token_count(finished.generated_tokens);
  for (size_t i = 0; i < finished.receipts.size(); ++i) {
    v1::InterventionReceipt* receipt = wire.add_receipts();
    *receipt =
        RenderReceipt((*arm.interventions)[i], finished.receipts[i], catalog);
    receipt->set_receipt_id(asked.receipt_id);
  }
  if (finished.prompt_reading.has_value()) {
    *wire.mutable_prompt_reading() =
        RenderReading(*finished.prompt_reading, catalog);
  }
  wire.set_total_logprob(finished.total_logprob);
  if (asked.side_effects && finished.effects.has_value()) {
    *wire.mutable_side_effects() =
        RenderSideEffects(*finished.effects, catalog);
  }
  if (finished.guard.has_value()) {
    *wire.mutable_guard_stop() = RenderGuardStop(*finished.guard, catalog);
  }
  if (finished.stop_index >= 0) {
    wire.set_stop_sequence(asked.stop_sequences[finished.stop_index]);
  }
  return wire;
}

v1::ArmResult RenderWholeArm(const AskedGeneration& asked, size_t index,
                             const SequenceAnswer& answer,
                             const Catalog& catalog,
                             const Tokenizer& tokenizer) {
  v1::ArmResult wire = RenderArm(asked, index, answer.finished, catalog);
  std::map<int, const ConceptReading*> trace;  // By position.
  for (const ConceptReading& reading : answer.trace) {
    trace[reading.position] = &reading;
  }
  for (const SampledToken& token : answer.prompt) {
    *wire.add_prompt_tokens() =
        RenderPromptToken(token, wire.prompt_tokens_size(), tokenizer);
  }
  std::string bytes;
  for (const TokenEvent& event : answer.tokens) {
    absl::StrAppend(&bytes, event.text);
    v1::Token* token = wire.add_tokens();
    *token = RenderToken(event, tokenizer);
    if (const auto it = trace.find(event.position); it != trace.end()) {
      *token->mutable_reading() = RenderReading(*it->second, catalog);
    }
  }
  absl::StrAppend(&bytes, answer.finished.text_tail);
  wire.set_text(ToUtf8(bytes));
  return wire;
}

}  // namespace alignsae
