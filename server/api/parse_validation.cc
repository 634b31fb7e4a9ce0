#include "server/api/parse_validation.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/answer_match.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/parse_config.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

// An answer may end in a token more than the expected one, and with another
// token for its end.
constexpr int kMoreTokens = 2;

absl::StatusOr<int> ConceptByName(const std::string& name, int checkpoint,
                                  const ParseEnv& env) {
  const std::vector<Concept>& concepts =
      env.catalog->checkpoints[checkpoint].concepts;
  for (size_t i = 0; i < concepts.size(); ++i) {
    if (concepts[i].name == name) return static_cast<int>(i);
  }
  return FieldStatus({"", "be a concept of the checkpoint", Quoted(name)},
                     absl::StatusCode::kNotFound);
}

absl::Status AddPrompt(const v1::LabelledPrompt& wire, const ParseEnv& env,
                       ValidationPlan& plan) {
  ValidationPlan::Read read;
  ALIGNSAE_ASSIGN_OR_RETURN(read.prompt,
                            InField("prompt", ParsePrompt(wire.prompt(), env)));
  const int length = static_cast<int>(read.prompt.size());
  const auto wanted =
      wire.has_position() ? std::optional<int>(wire.position()) : std::nullopt;
  ALIGNSAE_ASSIGN_OR_RETURN(
      read.at, ParseReadPosition(wanted, wire.position_text(), read.prompt,
                                 "the prompt", env));
  if (!wire.concept_name().empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        read.asked,
        InField("concept_name",
                ConceptByName(wire.concept_name(), plan.checkpoint, env)));
  }
  const int index = static_cast<int>(plan.reads.size());
  plan.reads.push_back(std::move(read));
  // Sorted, so that the same request gives the same swaps.
  std::vector<std::pair<std::string, std::string>> targets(
      wire.targets().begin(), wire.targets().end());
  std::sort(targets.begin(), targets.end());
  if (!targets.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(InField("prompt", CheckLeavesRoom(length, env)));
  }
  for (auto& [name, answer] : targets) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const int target,
        InField("targets", ConceptByName(name, plan.checkpoint, env)));
    if (answer.empty()) {
      return InvalidField("targets", "hold answers that are not empty",
                          Quoted(answer));
    }
    if (target == plan.reads.back().asked ||
        WholeAnswerMatches(wire.answer(), answer)) {
      continue;
    }
    plan.swaps.push_back({index, target, std::move(answer)});
  }
  return absl::OkStatus();
}

void KeepEvenly(int most, std::vector<ValidationPlan::Swap>& swaps) {
  const size_t all = swaps.size();
  const size_t kept = std::min(all, static_cast<size_t>(most));
  for (size_t i = 0; i < kept; ++i) {
    if (i * all / kept != i) swaps[i] = std::move(swaps[i * all / kept]);
  }
  swaps.resize(kept);
}

v1::LabelledPrompt WireOf(const ValidationPrompt& stored) {
  v1::LabelledPrompt wire;
  wire.mutable_prompt()->set_text(stored.text);
  wire.set_concept_name(stored.concept_name);
  if (stored.position_text.empty()) {
    wire.set_position(stored.position);
  } else {
    wire.set_position_text(stored.position_text);
  }
  wire.set_answer(stored.answer);
  for (const auto& [name, answer] : stored.targets) {
    (*wire.mutable_targets())[name] = answer;
  }
  return wire;
}

absl::Status AddStored(const ParseEnv& env, ValidationPlan& plan) {
  const CheckpointInfo& info = env.catalog->checkpoints[plan.checkpoint];
  plan.stored = true;
  if (info.validation.empty()) {
    return FieldStatus(
        {"prompts", "be given, as the bundle stores none for the checkpoint",
         "none"},
        absl::StatusCode::kFailedPrecondition);
  }
  for (const ValidationPrompt& stored : info.validation) {
    ALIGNSAE_RETURN_IF_ERROR(
        InField("stored prompts", AddPrompt(WireOf(stored), env, plan)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ValidationPlan> ParseValidateBinding(
    const v1::ValidateBindingRequest& wire, const ParseEnv& env) {
  ValidationPlan plan;
  ALIGNSAE_ASSIGN_OR_RETURN(
      plan.checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_RETURN_IF_ERROR(
      InField("checkpoint", CheckHasConcepts(plan.checkpoint, env)));
  plan.reads_spans = ReadsSpans(plan.checkpoint, env);
  const int swaps =
      wire.has_max_swaps() ? wire.max_swaps() : kDefaultValidationSwaps;
  if (swaps < 0 || swaps > kMaxValidationSwaps) {
    return InvalidField("max_swaps",
                        absl::StrCat("be in [0, ", kMaxValidationSwaps, "]"),
                        swaps);
  }
  if (wire.prompts_size() > kMaxLabelledPrompts) {
    return InvalidField(
        "prompts",
        absl::StrCat("hold at most ", kMaxLabelledPrompts, " prompts"),
        wire.prompts_size());
  }
  for (int i = 0; i < wire.prompts_size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(
        InField(Indexed("prompts", i), AddPrompt(wire.prompts(i), env, plan)));
  }
  if (wire.prompts().empty()) {
    ALIGNSAE_RETURN_IF_ERROR(AddStored(env, plan));
  }
  KeepEvenly(swaps, plan.swaps);
  return plan;
}

SequenceSpec ReadOf(const ValidationPlan& plan,
                    const ValidationPlan::Read& read) {
  SequenceSpec sequence;
  sequence.prompt = read.prompt;
  sequence.interventions = std::make_shared<const std::vector<Intervention>>();
  sequence.reading_checkpoint = plan.checkpoint;
  Observation observation;
  observation.checkpoint = plan.checkpoint;
  observation.positions = read.at.Read(plan.reads_spans);
  sequence.observations.push_back(std::move(observation));
  return sequence;
}

absl::StatusOr<SequenceSpec> SwapOf(const ValidationPlan& plan,
                                    const ValidationPlan::Swap& swap,
                                    const ParseEnv& env) {
  const ValidationPlan::Read& read = plan.reads[swap.prompt];
  const CheckpointInfo& info = env.catalog->checkpoints[plan.checkpoint];
  const int length = static_cast<int>(read.prompt.size());
  v1::PositionSelection positions;
  positions.set_prompt(v1::PROMPT_SELECTION_LIST);
  for (int position : read.at.span) positions.add_positions(position);
  InterventionParts parts;
  parts.checkpoint = plan.checkpoint;
  parts.mode = InterventionMode::kSwap;
  parts.target_slot = info.concepts[swap.target].slot;
  parts.alpha = info.recommended_mode == InterventionMode::kSwap
                    ? info.recommended_alpha
                    : 1;
  parts.positions = &positions;
  ALIGNSAE_ASSIGN_OR_RETURN(
      Intervention intervention,
      ResolveIntervention(parts, "targets", read.prompt, env));
  SequenceSpec sequence;
  sequence.prompt = read.prompt;
  sequence.interventions = std::make_shared<const std::vector<Intervention>>(
      1, std::move(intervention));
  const int answer = static_cast<int>(
      env.tokenizer->Encode(absl::StrCat(" ", swap.answer)).size());
  sequence.max_new_tokens = std::min(
      answer + kMoreTokens, env.catalog->model.context_length - length);
  return sequence;
}

}  // namespace alignsae
