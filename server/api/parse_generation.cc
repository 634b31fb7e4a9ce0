// Generate, Complete and Swap.

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

constexpr int kDefaultNewTokens = 32;

absl::StatusOr<int> ParseNewTokens(const v1::GenerationConfig& wire,
                                   int prompt_length, const ParseEnv& env) {
  const int context = env.catalog->model.context_length;
  const int room = context - prompt_length;
  const int limit = env.limits->max_new_tokens;
  if (room < 1) {
    return WithReason(
        Invalid("prompt",
                absl::StrCat("have at most ", context - 1,
                             " tokens to leave room for an answer"),
                prompt_length),
        kReasonPromptTooLong);
  }
  if (!wire.has_max_new_tokens()) {
    return std::min({kDefaultNewTokens, room, limit});
  }
  const int wanted = wire.max_new_tokens();
  if (wanted < 1 || wanted > limit) {
    return Invalid("generation.max_new_tokens",
                   absl::StrCat("be in [1, ", limit, "]"), wanted);
  }
  if (wanted > room) {
    return WithReason(
        Invalid(
            "generation.max_new_tokens",
            absl::StrCat("be at most ", room, " after a prompt of ",
                         prompt_length, " tokens"),
            absl::StrCat(wanted, "; the context has ", context, " positions")),
        kReasonPromptTooLong);
  }
  return wanted;
}

absl::Status ParseSampling(const v1::GenerationConfig& wire,
                           const ParseEnv& env, SamplingParams& sampling) {
  // Negated comparisons, so that NaN is refused too.
  if (!(wire.temperature() >= 0 && wire.temperature() <= 100)) {
    return Invalid("generation.temperature", "be in [0, 100]",
                   wire.temperature());
  }
  const int vocabulary = env.catalog->model.vocab_size;
  if (wire.top_k() < 0 || wire.top_k() > vocabulary) {
    return Invalid("generation.top_k",
                   absl::StrCat("be in [0, ", vocabulary, "]"), wire.top_k());
  }
  if (wire.has_top_p() && !(wire.top_p() > 0 && wire.top_p() <= 1)) {
    return Invalid("generation.top_p", "be in (0, 1]", wire.top_p());
  }
  if (wire.has_repetition_penalty() &&
      !(wire.repetition_penalty() > 0 && wire.repetition_penalty() <= 10)) {
    return Invalid("generation.repetition_penalty", "be in (0, 10]",
                   wire.repetition_penalty());
  }
  const int max_logprobs = std::min(env.limits->max_top_logprobs, vocabulary);
  if (wire.top_logprobs() < 0 || wire.top_logprobs() > max_logprobs) {
    return Invalid("generation.top_logprobs",
                   absl::StrCat("be in [0, ", max_logprobs, "]"),
                   wire.top_logprobs());
  }
  sampling.temperature = wire.temperature();
  sampling.top_k = wire.top_k();
  if (wire.has_top_p()) sampling.top_p = wire.top_p();
  if (wire.has_repetition_penalty()) {
    sampling.repetition_penalty = wire.repetition_penalty();
  }
  sampling.n_logprobs = wire.top_logprobs();
  return absl::OkStatus();
}

absl::Status CheckStops(const v1::GenerationConfig& wire, const ParseEnv& env) {
  const Limits& limits = *env.limits;
  if (wire.stop_sequences_size() > limits.max_stop_sequences) {
    return Invalid(
        "generation.stop_sequences",
        absl::StrCat("hold at most ", limits.max_stop_sequences, " of them"),
        wire.stop_sequences_size());
  }
  for (int i = 0; i < wire.stop_sequences_size(); ++i) {
    const size_t size = wire.stop_sequences(i).size();
    if (size >= 1 &&
        size <= static_cast<size_t>(limits.max_stop_sequence_bytes)) {
      continue;
    }
    return Invalid(
        absl::StrCat("generation.stop_sequences[", i, "]"),
        absl::StrCat("hold 1 to ", limits.max_stop_sequence_bytes, " bytes"),
        size);
  }
  return absl::OkStatus();
}

// What the three requests have in common. `prefix` names the list of
// interventions in messages; "" for Swap, whose one intervention is the
// request.
struct GenerationParts {
  const v1::Prompt& prompt;
  absl::string_view checkpoint;
  std::vector<const v1::Intervention*> interventions;
  absl::string_view prefix;
  v1::ArmSelection arms;
  const v1::GenerationConfig& config;
};

absl::StatusOr<std::vector<v1::Arm>> ParseArms(v1::ArmSelection arms,
                                               size_t interventions) {
  switch (arms) {
    case v1::ARM_SELECTION_UNSPECIFIED:
      return std::vector<v1::Arm>{interventions > 0 ? v1::ARM_STEERED
                                                    : v1::ARM_BASELINE};
    case v1::ARM_SELECTION_BASELINE:
      if (interventions == 0) return std::vector<v1::Arm>{v1::ARM_BASELINE};
      return Invalid("arms", "be STEERED or BOTH when there are interventions",
                     absl::StrCat("BASELINE and ", interventions, " of them"));
    case v1::ARM_SELECTION_STEERED:
    case v1::ARM_SELECTION_BOTH:
      if (interventions == 0) {
        return Invalid("arms", "be BASELINE when there are no interventions",
                       arms == v1::ARM_SELECTION_BOTH ? "BOTH" : "STEERED");
      }
      if (arms == v1::ARM_SELECTION_BOTH) {
        return std::vector<v1::Arm>{v1::ARM_BASELINE, v1::ARM_STEERED};
      }
      return std::vector<v1::Arm>{v1::ARM_STEERED};
    default:
      return Invalid("arms", "be BASELINE, STEERED or BOTH",
                     static_cast<int>(arms));
  }
}

int64_t ConceptsOf(const SequenceSpec& sequence, const ParseEnv& env) {
  if (!sequence.reading_checkpoint.has_value()) return 0;
  return static_cast<int64_t>(
      env.catalog->checkpoints[*sequence.reading_checkpoint].concepts.size());
}

// Bytes of the unary answer at most, a little rounded up.
int64_t ReplyBytes(const ParsedGeneration& parsed, const ParseEnv& env) {
  const SequenceSpec& first = parsed.spec.sequences[0];
  int64_t bytes = 8 * static_cast<int64_t>(first.prompt.size()) +
                  128 * ConceptsOf(first, env);
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    bytes += ArmBytes(sequence, env);
  }
  return bytes;
}

absl::StatusOr<InterventionList> ParseInterventions(
    const GenerationParts& parts, std::optional<int> checkpoint,
    int prompt_length, const ParseEnv& env) {
  const size_t limit = static_cast<size_t>(env.limits->max_interventions);
  if (parts.interventions.size() > limit) {
    return Invalid("interventions",
                   absl::StrCat("hold at most ", limit, " of them"),
                   parts.interventions.size());
  }
  auto list = std::make_shared<std::vector<Intervention>>();
  for (size_t i = 0; i < parts.interventions.size(); ++i) {
    const std::string field =
        parts.prefix.empty() ? "" : absl::StrCat(parts.prefix, "[", i, "]");
    ALIGNSAE_ASSIGN_OR_RETURN(
        Intervention intervention,
        ParseIntervention(*parts.interventions[i], field, checkpoint,
                          prompt_length, env));
    list->push_back(std::move(intervention));
  }
  return InterventionList(std::move(list));
}

absl::StatusOr<ParsedGeneration> ParseParts(const GenerationParts& parts,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed) {
  ParsedGeneration parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.arms,
                            ParseArms(parts.arms, parts.interventions.size()));
  // A server without checkpoints still generates.
  if (!env.catalog->checkpoints.empty() || !parts.checkpoint.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        parsed.checkpoint, FindCheckpoint(parts.checkpoint, "checkpoint", env));
  }
  if (parts.config.concept_trace() && !parsed.checkpoint.has_value()) {
    return absl::FailedPreconditionError(
        "generation.concept_trace: must be off without a checkpoint, got on");
  }
  if (parts.config.concept_trace()) {
    ALIGNSAE_RETURN_IF_ERROR(
        CheckHasConcepts(*parsed.checkpoint, "generation.concept_trace", env));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                            ParsePrompt(parts.prompt, "prompt", env));
  const int prompt_length = static_cast<int>(prompt.size());
  parsed.seed = parts.config.has_seed() ? parts.config.seed() : fresh_seed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      SequenceSpec sequence,
      ParseGenerationConfig(parts.config, prompt_length, parsed.seed, env));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const InterventionList interventions,
      ParseInterventions(parts, parsed.checkpoint, prompt_length, env));
  sequence.prompt = std::move(prompt);
  sequence.reading_checkpoint = parsed.checkpoint;
  for (v1::Arm arm : parsed.arms) {
    sequence.interventions =
        arm == v1::ARM_STEERED
            ? interventions
            : std::make_shared<const std::vector<Intervention>>();
    parsed.spec.sequences.push_back(sequence);
  }
  parsed.spec.grouping = Grouping::kTogether;
  return parsed;
}

template <typename Wire>
GenerationParts PartsOf(const Wire& wire) {
  GenerationParts parts = {
      wire.prompt(),   wire.checkpoint(), {},
      "interventions", wire.arms(),       wire.generation()};
  for (const v1::Intervention& intervention : wire.interventions()) {
    parts.interventions.push_back(&intervention);
  }
  return parts;
}

}  // namespace

int64_t ArmBytes(const SequenceSpec& sequence, const ParseEnv& env) {
  constexpr int64_t kToken = 64;
  constexpr int64_t kLogprob = 32;
  constexpr int64_t kEffect = 128;
  const int64_t reading = 128 + 8 * ConceptsOf(sequence, env);
  const int64_t token = kToken + kLogprob * sequence.sampling.n_logprobs +
                        (sequence.trace ? reading : 0);
  const int64_t receipts =
      static_cast<int64_t>(sequence.interventions->size()) *
      (256 + kEffect * kMaxReceiptPositions);
  return sequence.max_new_tokens * token + receipts + reading;
}

absl::StatusOr<SequenceSpec> ParseGenerationConfig(
    const v1::GenerationConfig& wire, int prompt_length, uint64_t seed,
    const ParseEnv& env) {
  SequenceSpec sequence;
  ALIGNSAE_ASSIGN_OR_RETURN(sequence.max_new_tokens,
                            ParseNewTokens(wire, prompt_length, env));
  ALIGNSAE_RETURN_IF_ERROR(ParseSampling(wire, env, sequence.sampling));
  ALIGNSAE_RETURN_IF_ERROR(CheckStops(wire, env));
  sequence.sampling.seed = seed;
  sequence.ignore_eos = wire.ignore_eos();
  sequence.trace = wire.concept_trace();
  sequence.stop_sequences.assign(wire.stop_sequences().begin(),
                                 wire.stop_sequences().end());
  return sequence;
}

absl::StatusOr<ParsedGeneration> ParseGenerate(const v1::GenerateRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed) {
  return ParseParts(PartsOf(wire), env, fresh_seed);
}

absl::StatusOr<ParsedGeneration> ParseComplete(const v1::CompleteRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed) {
  ALIGNSAE_ASSIGN_OR_RETURN(ParsedGeneration parsed,
                            ParseParts(PartsOf(wire), env, fresh_seed));
  ALIGNSAE_RETURN_IF_ERROR(CheckReplyBytes(ReplyBytes(parsed, env),
                                           "generation.max_new_tokens", env));
  return parsed;
}

absl::StatusOr<ParsedGeneration> ParseSwap(const v1::SwapRequest& wire,
                                           const ParseEnv& env,
                                           uint64_t fresh_seed) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      FindCheckpoint(wire.checkpoint(), "checkpoint", env));
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  v1::Intervention swap;
  swap.set_mode(v1::INTERVENTION_MODE_SWAP);
  *swap.mutable_target() = wire.target();
  if (wire.has_source()) *swap.mutable_source() = wire.source();
  if (wire.has_positions()) *swap.mutable_positions() = wire.positions();
  if (wire.has_alpha()) {
    swap.set_alpha(wire.alpha());
  } else if (info.recommended_mode == "SWAP") {
    swap.set_alpha(info.recommended_alpha);
  }
  const GenerationParts parts = {
      wire.prompt(),          wire.checkpoint(), {&swap}, "",
      v1::ARM_SELECTION_BOTH, wire.generation()};
  ALIGNSAE_ASSIGN_OR_RETURN(ParsedGeneration parsed,
                            ParseParts(parts, env, fresh_seed));
  ALIGNSAE_RETURN_IF_ERROR(CheckReplyBytes(ReplyBytes(parsed, env),
                                           "generation.max_new_tokens", env));
  return parsed;
}

}  // namespace alignsae
