#include "server/api/render_catalog.h"

#include "server/api/wire_mode.h"

namespace alignsae {
namespace {

v1::WriteCertificate RenderCertificate(const WriteCertificate& certificate) {
  v1::WriteCertificate wire;
  wire.set_cosine(certificate.cosine);
  wire.set_written_share(certificate.written_share);
  if (const auto alpha = certificate.predicted_alpha(); alpha) {
    wire.set_predicted_alpha(*alpha);
  }
  if (!certificate.measured_swap) return wire;
  const MeasuredSwap& swap = *certificate.measured_swap;
  v1::MeasuredSwap& row = *wire.mutable_measured_swap();
  row.set_tries(swap.n);
  row.set_successes(swap.successes);
  row.set_rate(swap.rate);
  row.set_low(swap.low);
  row.set_high(swap.high);
  row.set_wordings(swap.wordings);
  row.set_people(swap.people.value_or(0));
  return wire;
}

v1::TrainedPositions ToWire(TrainedPositions positions) {
  switch (positions) {
    case TrainedPositions::kLast:
      return v1::TRAINED_POSITIONS_LAST;
    case TrainedPositions::kAll:
      return v1::TRAINED_POSITIONS_ALL;
    case TrainedPositions::kLabelled:
      return v1::TRAINED_POSITIONS_LABELLED;
    case TrainedPositions::kSpan:
      return v1::TRAINED_POSITIONS_SPAN;
    default:
      return v1::TRAINED_POSITIONS_UNSPECIFIED;
  }
}

}  // namespace

v1::AnswerInfo RenderInfo(const Catalog& catalog, const std::string& request_id,
                          std::optional<int> checkpoint) {
  v1::AnswerInfo info;
  info.set_request_id(request_id);
  info.set_model(catalog.model.name);
  if (checkpoint.has_value()) {
    info.set_checkpoint(catalog.checkpoints[*checkpoint].name);
  }
  info.set_generation_id(catalog.generation);
  return info;
}

v1::HookPoint RenderHook(const HookPoint& hook) {
  v1::HookPoint wire;
  wire.set_kind(ToWire(hook.kind));
  wire.set_layer(hook.layer);
  return wire;
}

google::protobuf::RepeatedPtrField<v1::ConceptLabel> RenderLabels(
    const CheckpointInfo& checkpoint) {
  google::protobuf::RepeatedPtrField<v1::ConceptLabel> labels;
  for (const Concept& entry : checkpoint.concepts) {
    v1::ConceptLabel* label = labels.Add();
    label->set_name(entry.name);
    label->set_slot(entry.slot);
    label->set_active_mean(entry.active_mean);
    label->set_threshold(entry.threshold);
  }
  return labels;
}

v1::Model RenderModel(const ModelInfo& model) {
  v1::Model wire;
  wire.set_name(model.name);
  wire.set_version(model.version);
  wire.set_sha256(model.sha256);
  wire.set_n_layer(model.n_layer);
  wire.set_n_head(model.n_head);
  wire.set_d_model(model.d_model);
  wire.set_context_length(model.context_length);
  wire.set_vocab_size(model.vocab_size);
  if (!model.eos_token_ids.empty()) {
    wire.set_eos_token_id(model.eos_token_ids.front());
  }
  wire.mutable_eos_token_ids()->Add(model.eos_token_ids.begin(),
                                    model.eos_token_ids.end());
  if (model.bos_token_id.has_value()) {
    wire.set_bos_token_id(*model.bos_token_id);
  }
  wire.set_prompt_template(model.prompt_template);
  wire.set_dtype(model.weight_type);
  wire.set_dtype_reason(model.weight_type_why);
  wire.set_bundle_sha256(model.bundle_sha256);
  wire.mutable_kernels()->Add(model.kernels.begin(), model.kernels.end());
  return wire;
}

v1::Checkpoint RenderCheckpoint(const CheckpointInfo& checkpoint) {
  v1::Checkpoint wire;
  wire.set_name(checkpoint.name);
  wire.set_sha256(checkpoint.sha256);
  *wire.mutable_hook_point() = RenderHook(checkpoint.hook);
  wire.set_activation(checkpoint.activation);
  wire.set_scale(checkpoint.scale);
  wire.set_n_features(checkpoint.n_features);
  wire.set_n_concepts(static_cast<int>(checkpoint.concepts.size()));
  wire.set_whole_sae_loaded(checkpoint.whole_sae_loaded);
  if (checkpoint.recommended_mode.has_value()) {
    wire.set_recommended_mode(ToWire(*checkpoint.recommended_mode));
  }
  wire.set_recommended_alpha(checkpoint.recommended_alpha);
  wire.set_version(checkpoint.version);
  wire.set_generation_id(checkpoint.generation);
  wire.set_trained_positions(ToWire(checkpoint.trained));
  wire.set_tells_outside(checkpoint.has_gate);
  return wire;
}

v1::Limits RenderLimits(const ServerConfig& config, int64_t kv_tokens) {
  const Limits& limits = config.limits;
  v1::Limits wire;
  wire.set_max_prompt_bytes(limits.max_prompt_bytes);
  wire.set_max_prompts_per_batch(limits.max_prompts_per_batch);
  wire.set_max_new_tokens(limits.max_new_tokens);
  wire.set_max_stop_sequences(limits.max_stop_sequences);
  wire.set_max_stop_sequence_bytes(limits.max_stop_sequence_bytes);
  wire.set_max_top_logprobs(limits.max_top_logprobs);
  wire.set_max_interventions(limits.max_interventions);
  wire.set_max_top_features(limits.max_top_features);
  wire.set_max_receive_message_bytes(limits.max_receive_message_bytes);
  wire.set_max_send_message_bytes(limits.max_send_message_bytes);
  wire.set_max_deadline_seconds(limits.max_deadline_seconds);
  wire.set_max_running_sequences(config.kv_slots);
  wire.set_max_running_tokens(kv_tokens);
  wire.set_max_queued_sequences(config.max_queued_sequences);
  wire.set_max_queued_tokens(config.max_queued_tokens);
  wire.set_max_sweep_cells(limits.max_sweep_cells);
  wire.set_max_logit_biases(limits.max_logit_biases);
  return wire;
}

v1::CheckpointConcepts RenderConcepts(const CheckpointInfo& checkpoint,
                                      bool include_evaluation) {
  v1::CheckpointConcepts wire;
  *wire.mutable_checkpoint() = RenderCheckpoint(checkpoint);
  for (const Concept& entry : checkpoint.concepts) {
    v1::Concept* row = wire.add_concepts();
    row->set_name(entry.name);
    row->set_slot(entry.slot);
    row->set_description(entry.description);
    row->set_example(entry.example);
    row->set_active_mean(entry.active_mean);
    row->set_threshold(entry.threshold);
    row->set_decoder_norm(entry.decoder_norm);
    if (entry.certificate) {
      *row->mutable_certificate() = RenderCertificate(*entry.certificate);
    }
  }
  if (include_evaluation) {
    wire.set_evaluation_json(checkpoint.evaluation_json);
  }
  return wire;
}

}  // namespace alignsae
