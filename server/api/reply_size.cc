#include "server/api/reply_size.h"

#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "alignsae/v1/find_alpha.pb.h"
#include "alignsae/v1/steering_service.pb.h"
#include "alignsae/v1/swap_matrix.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "model/base/field_error.h"
#include "model/base/status_payload.h"
#include "server/api/asked.h"
#include "server/api/render_answer.h"
#include "server/api/render_catalog.h"
#include "server/api/render_side_effects.h"
#include "server/registry/token_text.h"

namespace alignsae {
namespace {

// Of U+FFFD, which stands for a byte that is part of no character.
constexpr int64_t kReplacementBytes = 3;

// A field that holds `bytes` bytes; the number of each is below 16.
int64_t FieldBytes(int64_t bytes) {
  return 1 +
         static_cast<int64_t>(
             google::protobuf::io::CodedOutputStream::VarintSize64(bytes)) +
         bytes;
}

template <typename Message>
int64_t FieldBytes(const Message& message) {
  return FieldBytes(static_cast<int64_t>(message.ByteSizeLong()));
}

std::string LongestConcept(const CheckpointInfo& checkpoint) {
  std::string longest;
  for (const Concept& entry : checkpoint.concepts) {
    if (entry.name.size() > longest.size()) longest = entry.name;
  }
  return longest;
}

v1::ConceptReading WidestReading(int checkpoint, const ParseEnv& env) {
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  const size_t concepts = info.concepts.size();
  ConceptReading reading;
  reading.checkpoint = checkpoint;
  reading.position = env.catalog->model.context_length - 1;
  reading.values.assign(concepts, 1);
  reading.probabilities.assign(concepts, 1);
  reading.top = std::max(0, static_cast<int>(concepts) - 1);
  reading.margin = 1;
  reading.bound = true;
  if (info.has_gate) reading.outside_ratio = 2;
  v1::ConceptReading wire = RenderReading(reading, *env.catalog);
  wire.set_top_concept(LongestConcept(info));
  return wire;
}

// A token, of the prompt or generated, with so many alternatives.
template <typename Token>
Token WidestScored(int n_logprobs, const ParseEnv& env) {
  const std::string piece(env.tokenizer->longest_text_token(), 'x');
  const int id = env.catalog->model.vocab_size - 1;
  Token token;
  token.set_id(id);
  token.set_piece(piece);
  token.set_logprob(-1);
  for (int i = 0; i < n_logprobs; ++i) {
    v1::TokenLogprob* other = token.add_top_logprobs();
    other->set_id(id);
    other->set_logprob(-1);
    other->set_piece(piece);
  }
  return token;
}

v1::Token WidestToken(const SequenceSpec& sequence, const ParseEnv& env) {
  auto token = WidestScored<v1::Token>(sequence.sampling.n_logprobs, env);
  token.set_position(env.catalog->model.context_length - 1);
  if (sequence.trace) {
    *token.mutable_reading() = WidestReading(*sequence.reading_checkpoint, env);
  }
  return token;
}

int64_t PromptBytes(const SequenceSpec& sequence, const ParseEnv& env) {
  auto first = WidestScored<v1::PromptToken>(0, env);
  first.clear_logprob();
  return FieldBytes(first) +
         (static_cast<int64_t>(sequence.prompt.size()) - 1) *
             FieldBytes(
                 WidestScored<v1::PromptToken>(*sequence.prompt_logprobs, env));
}

InterventionReceipt WidestReceipt(const Intervention& intervention,
                                  const SequenceSpec& sequence,
                                  const ParseEnv& env) {
  PositionEffect effect;
  effect.position = env.catalog->model.context_length - 1;
  effect.residual_norm = effect.change_norm = 1;
  effect.target_before = effect.target_after = 1;
  if (IsTwoSlotMode(intervention.mode)) {
    effect.source_slot =
        env.catalog->checkpoints[intervention.checkpoint].n_features - 1;
    effect.source_before = effect.source_after = 1;
  }
  InterventionReceipt receipt;
  receipt.positions_applied =
      static_cast<int64_t>(intervention.positions.prompt.size()) +
      (intervention.positions.generated ? sequence.max_new_tokens : 0);
  receipt.positions_checked = receipt.positions_applied;
  receipt.effects.assign(
      std::min<int64_t>(receipt.positions_applied, kMaxReceiptPositions),
      effect);
  return receipt;
}

// Of an arm's receipts: the names are those of the longest concept.
void WidenNames(const ParseEnv& env, const Intervention& intervention,
                v1::InterventionReceipt* receipt) {
  if (intervention.vector != nullptr) return;  // Names nothing.
  const std::string longest =
      LongestConcept(env.catalog->checkpoints[intervention.checkpoint]);
  for (v1::PositionEffect& effect : *receipt->mutable_effects()) {
    if (effect.has_source_slot()) effect.set_source_concept(longest);
  }
}

SideEffects WidestEffects(const SequenceSpec& sequence, const ParseEnv& env) {
  SideEffects effects =
      SideEffectMeter(*sequence.interventions, {}, *env.catalog).effects();
  for (SideEffects::OffTarget& each : effects.off_target) {
    each.position = env.catalog->model.context_length - 1;
    each.change = each.relative = 1;
  }
  effects.kl.assign(sequence.max_new_tokens, 1);
  effects.norm_ratio = 1;
  return effects;
}

// What only a measured arm has.
void AddWidestEffects(const SequenceSpec& sequence, const ParseEnv& env,
                      v1::ArmResult& arm) {
  *arm.mutable_side_effects() =
      RenderSideEffects(WidestEffects(sequence, env), *env.catalog);
  arm.mutable_side_effects()->set_first_divergence(
      env.catalog->model.context_length - 1);
  v1::GuardStop* stop = arm.mutable_guard_stop();
  stop->set_limit(v1::GUARD_LIMIT_KL);
  stop->set_allowed(1);
  stop->set_value(1);
  stop->set_position(env.catalog->model.context_length);
  for (const Intervention& intervention : *sequence.interventions) {
    if (intervention.vector != nullptr) continue;
    const std::string longest =
        LongestConcept(env.catalog->checkpoints[intervention.checkpoint]);
    if (longest.size() > stop->concept_name().size()) {
      stop->set_concept_name(longest);
    }
  }
}

// An answer's arm without its text and tokens.
v1::ArmResult WidestArm(const SequenceSpec& sequence, const ParseEnv& env) {
  AskedGeneration asked;
  asked.arms = {{v1::ARM_STEERED, sequence.interventions}};
  asked.receipt_id = std::string(16, 'x');
  SequenceFinished finished;
  finished.generated_tokens = sequence.max_new_tokens;
  finished.total_logprob = -1;
  for (const Intervention& intervention : *sequence.interventions) {
    finished.receipts.push_back(WidestReceipt(intervention, sequence, env));
  }
  v1::ArmResult arm = RenderArm(asked, 0, finished, *env.catalog);
  for (int i = 0; i < arm.receipts_size(); ++i) {
    WidenNames(env, (*sequence.interventions)[i], arm.mutable_receipts(i));
  }
  if (sequence.reading_checkpoint.has_value()) {
    *arm.mutable_prompt_reading() =
        WidestReading(*sequence.reading_checkpoint, env);
  }
  for (const std::string& stop : sequence.stop_sequences) {
    if (stop.size() > arm.stop_sequence().size()) arm.set_stop_sequence(stop);
  }
  if (sequence.measure) AddWidestEffects(sequence, env, arm);
  return arm;
}

template <typename Message>
void FillReadoutHead(int checkpoint, const ParseEnv& env, Message* message) {
  RenderReadoutHead(*env.catalog, std::string(kMaxRequestIdBytes, 'x'),
                    checkpoint, message);
}

}  // namespace

absl::string_view SizeField(const SequenceSpec& sequence) {
  const int alternatives = sequence.prompt_logprobs.value_or(-1);
  const int64_t prompt =
      static_cast<int64_t>(sequence.prompt.size()) * (alternatives + 1);
  const int64_t answer =
      int64_t{sequence.max_new_tokens} * (sequence.sampling.n_logprobs + 1);
  return prompt > answer ? "generation.prompt_logprobs"
                         : "generation.max_new_tokens";
}

int64_t ArmBytes(const SequenceSpec& sequence, const ParseEnv& env) {
  const int64_t tokens = sequence.max_new_tokens;
  const int64_t text =
      kReplacementBytes * tokens *
      static_cast<int64_t>(env.tokenizer->longest_text_token());
  const int64_t prompt =
      sequence.prompt_logprobs.has_value() ? PromptBytes(sequence, env) : 0;
  return static_cast<int64_t>(WidestArm(sequence, env).ByteSizeLong()) +
         FieldBytes(text) + prompt +
         tokens * FieldBytes(WidestToken(sequence, env));
}

int64_t GenerationBytes(const RequestSpec& spec, std::optional<int> checkpoint,
                        const ParseEnv& env) {
  AskedGeneration asked;
  asked.checkpoint = checkpoint;
  asked.seed = std::numeric_limits<uint64_t>::max();
  const std::vector<int32_t>& prompt = spec.sequences[0].prompt;
  v1::CompleteResponse head;
  RenderHead(*env.catalog, std::string(kMaxRequestIdBytes, 'x'), asked, prompt,
             &head);
  head.set_prompt_token_count(static_cast<int>(prompt.size()));
  int64_t bytes = static_cast<int64_t>(head.ByteSizeLong());
  for (const SequenceSpec& sequence : spec.sequences) {
    if (sequence.follows.has_value()) continue;  // Is no arm.
    bytes += FieldBytes(ArmBytes(sequence, env));
  }
  return bytes;
}

int64_t SweepCellBytes(const SequenceSpec& sequence, const ParseEnv& env) {
  v1::SweepCell cell;
  cell.set_index(env.limits->max_sweep_cells);
  cell.set_target_index(env.limits->max_sweep_cells);
  cell.set_alpha_index(env.limits->max_sweep_cells);
  cell.set_alpha(1);
  cell.set_target(
      LongestConcept(env.catalog->checkpoints[*sequence.reading_checkpoint]));
  return FieldBytes(static_cast<int64_t>(cell.ByteSizeLong()) +
                    FieldBytes(ArmBytes(sequence, env)));
}

int64_t MatrixCellBytes(const SequenceSpec& sequence, const ParseEnv& env) {
  const std::string longest =
      LongestConcept(env.catalog->checkpoints[*sequence.reading_checkpoint]);
  v1::SwapMatrixCell cell;
  cell.set_index(env.limits->max_sweep_cells);
  cell.set_source_index(env.limits->max_sweep_cells);
  cell.set_target_index(env.limits->max_sweep_cells);
  cell.set_source(longest);
  cell.set_target(longest);
  cell.set_matches(true);
  return FieldBytes(static_cast<int64_t>(cell.ByteSizeLong()) +
                    FieldBytes(ArmBytes(sequence, env)));
}

int64_t FindAlphaBytes(const SequenceSpec& tried, int tries,
                       const ParseEnv& env) {
  v1::AlphaTry widest;
  widest.set_alpha(1);
  widest.set_reached(true);
  widest.set_round(tries);
  const int64_t arm = FieldBytes(ArmBytes(tried, env));
  const int64_t one =
      FieldBytes(static_cast<int64_t>(widest.ByteSizeLong()) + arm);
  AskedGeneration asked;
  asked.checkpoint = tried.reading_checkpoint;
  asked.seed = std::numeric_limits<uint64_t>::max();
  v1::FindAlphaResponse head;
  RenderHead(*env.catalog, std::string(kMaxRequestIdBytes, 'x'), asked,
             tried.prompt, &head);
  head.set_prompt_token_count(head.prompt_token_ids_size());
  head.set_smallest(1);
  head.set_largest(1);
  head.set_open_below(true);
  head.set_open_above(true);
  head.set_exact(true);
  head.set_baseline_reaches(true);
  head.set_rounds(tries);
  return static_cast<int64_t>(head.ByteSizeLong()) + arm + tries * one;
}

int64_t ReadBytes(const RequestSpec& spec, int checkpoint,
                  const ParseEnv& env) {
  v1::ReadConceptsResponse head;
  FillReadoutHead(checkpoint, env, &head);
  v1::PromptReading row;
  *row.mutable_reading() = WidestReading(checkpoint, env);
  int64_t bytes = 0;
  int tokens = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    row.mutable_prompt_token_ids()->Assign(sequence.prompt.begin(),
                                           sequence.prompt.end());
    const size_t read = sequence.observations[0].positions.size();
    row.mutable_reading()->set_mean_of(read > 1 ? static_cast<int>(read) : 0);
    bytes += FieldBytes(row);
    tokens += row.prompt_token_ids_size();
  }
  head.set_prompt_token_count(tokens);
  return bytes + static_cast<int64_t>(head.ByteSizeLong());
}

int64_t InspectionBytes(const SequenceSpec& sequence, int checkpoint, int top_k,
                        const ParseEnv& env) {
  const int n_features = env.catalog->checkpoints[checkpoint].n_features;
  v1::InspectSlotsResponse head;
  FillReadoutHead(checkpoint, env, &head);
  head.mutable_prompt_token_ids()->Assign(sequence.prompt.begin(),
                                          sequence.prompt.end());
  head.set_top_k(top_k);
  v1::FeatureSummary features;
  for (int i = 0; i < top_k; ++i) {
    v1::FeatureValue* feature = features.add_top_features();
    feature->set_feature(n_features - 1);
    feature->set_value(1);
  }
  features.set_l0(n_features);
  features.set_reconstruction_error(1);
  features.set_residual_norm(1);
  const int64_t reading = FieldBytes(WidestReading(checkpoint, env)) +
                          (top_k > 0 ? FieldBytes(features) : 0);
  int64_t bytes = static_cast<int64_t>(head.ByteSizeLong());
  for (int position : sequence.observations[0].positions) {
    const int32_t id = sequence.prompt[position];
    v1::TokenSlots row;
    row.set_token_id(id);
    row.set_piece(std::string(PieceBytes(*env.tokenizer, id)));
    bytes += FieldBytes(reading + static_cast<int64_t>(row.ByteSizeLong()));
  }
  return bytes;
}

absl::Status CheckReplyBytes(int64_t bytes, const ParseEnv& env) {
  const int limit = env.limits->max_send_message_bytes;
  if (bytes <= limit) return absl::OkStatus();
  return WithReason(
      InvalidField("", absl::StrCat("keep the answer within ", limit, " bytes"),
                   absl::StrCat("up to ", bytes, "; ask for less")),
      kReasonReplyTooLarge);
}

}  // namespace alignsae
