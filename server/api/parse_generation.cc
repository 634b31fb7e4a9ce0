#include "server/api/parse_generation.h"

#include <functional>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/parse_guard.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/parse_sequence.h"
#include "server/api/reply_size.h"

namespace alignsae {
namespace {

// What Generate, Complete and Swap have in common.
struct GenerationParts {
  const v1::Prompt& prompt;
  absl::string_view checkpoint;
  v1::ArmSelection arms = v1::ARM_SELECTION_UNSPECIFIED;
  const v1::GenerationConfig& config;
  int n_interventions = 0;
  const v1::SteeringGuard* guard = nullptr;  // nullptr: not given.
  bool side_effects = false;
};
// Gives them, once the checkpoint and the prompt are known.
using ParseEdits = std::function<absl::StatusOr<InterventionList>(
    std::optional<int> checkpoint, absl::Span<const int32_t> prompt)>;

absl::StatusOr<std::vector<v1::Arm>> ParseArms(v1::ArmSelection arms,
                                               int interventions) {
  switch (arms) {
    case v1::ARM_SELECTION_UNSPECIFIED:
      return std::vector<v1::Arm>{interventions > 0 ? v1::ARM_STEERED
                                                    : v1::ARM_BASELINE};
    case v1::ARM_SELECTION_BASELINE:
      if (interventions == 0) return std::vector<v1::Arm>{v1::ARM_BASELINE};
      return InvalidField(
          "arms", "be STEERED or BOTH when there are interventions",
          absl::StrCat("BASELINE and ", interventions, " of them"));
    case v1::ARM_SELECTION_STEERED:
    case v1::ARM_SELECTION_BOTH:
      if (interventions == 0) {
        return InvalidField(
            "arms", "be BASELINE when there are no interventions",
            arms == v1::ARM_SELECTION_BOTH ? "BOTH" : "STEERED");
      }
      if (arms == v1::ARM_SELECTION_BOTH) {
        return std::vector<v1::Arm>{v1::ARM_BASELINE, v1::ARM_STEERED};
      }
      return std::vector<v1::Arm>{v1::ARM_STEERED};
    default:
      return InvalidField("arms", "be BASELINE, STEERED or BOTH",
                          static_cast<int>(arms));
  }
}

// A server without checkpoints still generates.
absl::StatusOr<std::optional<int>> ParseCheckpoint(absl::string_view name,
                                                   const ParseEnv& env) {
  if (env.catalog->checkpoints.empty() && name.empty()) return std::nullopt;
  return InField("checkpoint", FindCheckpoint(name, env));
}

absl::Status CheckTrace(const v1::GenerationConfig& config,
                        std::optional<int> checkpoint, const ParseEnv& env) {
  if (!config.concept_trace()) return absl::OkStatus();
  if (!checkpoint.has_value()) {
    return FieldStatus(
        {"generation.concept_trace", "be off without a checkpoint", "on"},
        absl::StatusCode::kFailedPrecondition);
  }
  return InField("generation.concept_trace",
                 CheckHasConcepts(*checkpoint, env));
}

absl::StatusOr<InterventionList> ParseInterventions(
    const google::protobuf::RepeatedPtrField<v1::Intervention>& wire,
    std::optional<int> checkpoint, absl::Span<const int32_t> prompt,
    const ParseEnv& env) {
  const int limit = env.limits->max_interventions;
  if (wire.size() > limit) {
    return InvalidField("interventions",
                        absl::StrCat("hold at most ", limit, " of them"),
                        wire.size());
  }
  auto list = std::make_shared<std::vector<Intervention>>();
  for (int i = 0; i < wire.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        Intervention intervention,
        InField(Indexed("interventions", i),
                ParseIntervention(wire[i], checkpoint, prompt, env)));
    list->push_back(std::move(intervention));
  }
  return InterventionList(std::move(list));
}

// Has the side effects of the steered arm, the last one, measured where that is
// asked for; its KL takes a sequence beside it.
absl::Status ParseMeasures(const GenerationParts& parts,
                           ParsedGeneration& parsed) {
  if (parts.guard == nullptr && !parts.side_effects) return absl::OkStatus();
  const char* const field = parts.side_effects ? "side_effects" : "guard";
  if (parsed.asked.arms.back().arm != v1::ARM_STEERED) {
    return FieldStatus({field, "be absent without a steered arm", ""});
  }
  GuardLimits limits;
  if (parts.guard != nullptr) {
    ALIGNSAE_ASSIGN_OR_RETURN(limits,
                              InField("guard", ParseGuard(*parts.guard)));
  }
  parsed.asked.side_effects = parts.side_effects;
  std::vector<SequenceSpec>& sequences = parsed.spec.sequences;
  Measure(limits, sequences.back());
  // Shared with what the answer is rendered with.
  parsed.asked.arms.back().interventions = sequences.back().interventions;
  if (parts.side_effects || limits.kl.has_value()) {
    const int leader = static_cast<int>(sequences.size()) - 1;
    sequences.push_back(FollowerOf(sequences.back(), leader));
  }
  return absl::OkStatus();
}

absl::StatusOr<ParsedGeneration> ParseParts(const GenerationParts& parts,
                                            const ParseEdits& parse_edits,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed) {
  ParsedGeneration parsed;
  AskedGeneration& asked = parsed.asked;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<v1::Arm> arms,
                            ParseArms(parts.arms, parts.n_interventions));
  ALIGNSAE_ASSIGN_OR_RETURN(asked.checkpoint,
                            ParseCheckpoint(parts.checkpoint, env));
  ALIGNSAE_RETURN_IF_ERROR(CheckTrace(parts.config, asked.checkpoint, env));
  ALIGNSAE_ASSIGN_OR_RETURN(SequenceSpec sequence,
                            ParseSequence(parts.prompt, parts.config,
                                          asked.checkpoint, fresh_seed, env));
  ALIGNSAE_ASSIGN_OR_RETURN(const InterventionList edits,
                            parse_edits(asked.checkpoint, sequence.prompt));
  asked.seed = sequence.sampling.seed;
  asked.stop_sequences = sequence.stop_sequences;
  const auto none = std::make_shared<const std::vector<Intervention>>();
  for (v1::Arm arm : arms) {
    sequence.interventions = arm == v1::ARM_STEERED ? edits : none;
    asked.arms.push_back({arm, sequence.interventions});
    parsed.spec.sequences.push_back(sequence);
  }
  parsed.spec.grouping = Grouping::kTogether;
  ALIGNSAE_RETURN_IF_ERROR(ParseMeasures(parts, parsed));
  return parsed;
}

// Generate and its unary twin.
template <typename Wire>
absl::StatusOr<ParsedGeneration> ParseTwin(const Wire& wire,
                                           const ParseEnv& env,
                                           uint64_t fresh_seed) {
  return ParseParts(
      {wire.prompt(), wire.checkpoint(), wire.arms(), wire.generation(),
       wire.interventions_size(), wire.has_guard() ? &wire.guard() : nullptr,
       wire.side_effects()},
      [&](std::optional<int> checkpoint, absl::Span<const int32_t> prompt) {
        return ParseInterventions(wire.interventions(), checkpoint, prompt,
                                  env);
      },
      env, fresh_seed);
}

absl::StatusOr<InterventionList> ParseSwapEdit(const v1::SwapRequest& wire,
                                               int checkpoint,
                                               absl::Span<const int32_t> prompt,
                                               const ParseEnv& env) {
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  InterventionParts parts;
  parts.checkpoint = checkpoint;
  parts.mode = InterventionMode::kSwap;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parts.target_slot, InField("target", ParseConcept(wire.target(), info)));
  if (wire.has_source()) parts.source = &wire.source();
  parts.alpha = wire.has_alpha() ? wire.alpha() : RecommendedSwapAlpha(info);
  parts.positions = &wire.positions();
  if (wire.has_when()) parts.when = &wire.when();
  ALIGNSAE_ASSIGN_OR_RETURN(Intervention swap,
                            ResolveIntervention(parts, "target", prompt, env));
  return std::make_shared<const std::vector<Intervention>>(1, std::move(swap));
}

absl::Status CheckSize(const ParsedGeneration& parsed, const ParseEnv& env) {
  return InField(
      SizeField(parsed.spec.sequences.front()),
      CheckReplyBytes(
          GenerationBytes(parsed.spec, parsed.asked.checkpoint, env), env));
}

}  // namespace

absl::StatusOr<ParsedGeneration> ParseGenerate(const v1::GenerateRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed) {
  return ParseTwin(wire, env, fresh_seed);
}

absl::StatusOr<ParsedGeneration> ParseComplete(const v1::CompleteRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed) {
  ALIGNSAE_ASSIGN_OR_RETURN(ParsedGeneration parsed,
                            ParseTwin(wire, env, fresh_seed));
  ALIGNSAE_RETURN_IF_ERROR(CheckSize(parsed, env));
  return parsed;
}

absl::StatusOr<ParsedGeneration> ParseSwap(const v1::SwapRequest& wire,
                                           const ParseEnv& env,
                                           uint64_t fresh_seed) {
  // A swap, other than an answer, needs a checkpoint.
  ALIGNSAE_RETURN_IF_ERROR(
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)).status());
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedGeneration parsed,
      ParseParts(
          {wire.prompt(), wire.checkpoint(), v1::ARM_SELECTION_BOTH,
           wire.generation(), 1, wire.has_guard() ? &wire.guard() : nullptr,
           wire.side_effects()},
          [&](std::optional<int> checkpoint, absl::Span<const int32_t> prompt) {
            return ParseSwapEdit(wire, *checkpoint, prompt, env);
          },
          env, fresh_seed));
  ALIGNSAE_RETURN_IF_ERROR(CheckSize(parsed, env));
  return parsed;
}

}  // namespace alignsae
