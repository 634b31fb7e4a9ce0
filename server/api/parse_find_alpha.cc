#include "server/api/parse_find_alpha.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/answer_match.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/parse_guard.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/parse_sequence.h"
#include "server/api/reply_size.h"

namespace alignsae {
namespace {

constexpr double kWidestRange = 1e6;
constexpr double kLeastPrecision = 1.001;
constexpr double kMostPrecision = 2;

absl::StatusOr<AlphaGoal> ParseGoal(const v1::AlphaGoal& wire,
                                    const ParseEnv& env) {
  switch (wire.goal_case()) {
    case v1::AlphaGoal::kAnswer:
      if (!NormalizeAnswer(wire.answer()).empty()) return wire.answer();
      return InvalidField("answer", "not be empty", Quoted(wire.answer()));
    case v1::AlphaGoal::kFirstToken: {
      const int vocabulary = env.catalog->model.vocab_size;
      if (wire.first_token() >= 0 && wire.first_token() < vocabulary) {
        return wire.first_token();
      }
      return InvalidField("first_token",
                          absl::StrCat("be in [0, ", vocabulary - 1, "]"),
                          wire.first_token());
    }
    case v1::AlphaGoal::kTargetOnTop:
      if (wire.target_on_top()) return TargetOnTop();
      return InvalidField("target_on_top", "be true", "false");
    case v1::AlphaGoal::GOAL_NOT_SET:
      break;
  }
  return InvalidField("", "name an answer, a first token or target_on_top",
                      "none");
}

absl::StatusOr<AlphaSearch::Options> ParseSearch(
    const v1::FindAlphaRequest& wire, const ParseEnv& env) {
  AlphaSearch::Options search;
  if (wire.has_min_alpha()) search.low = wire.min_alpha();
  if (wire.has_max_alpha()) search.high = wire.max_alpha();
  if (wire.has_precision()) search.precision = wire.precision();
  if (!(search.low > 0) || !std::isfinite(search.low)) {
    return InvalidField("min_alpha", "be finite and above 0", search.low);
  }
  if (!(search.high > search.low) ||
      !(search.high <= kWidestRange * search.low)) {
    return InvalidField("max_alpha",
                        absl::StrCat("be above min_alpha, which is ",
                                     search.low, ", and at most 10^6 times it"),
                        search.high);
  }
  if (!(search.precision >= kLeastPrecision &&
        search.precision <= kMostPrecision)) {
    return InvalidField(
        "precision",
        absl::StrCat("be in [", kLeastPrecision, ", ", kMostPrecision, "]"),
        search.precision);
  }
  const int most = std::max(2, env.limits->max_sweep_cells);
  search.max_tries = wire.has_max_tries() ? wire.max_tries()
                                          : std::min(search.max_tries, most);
  if (search.max_tries < 2 || search.max_tries > most) {
    return InvalidField("max_tries", absl::StrCat("be in [2, ", most, "]"),
                        search.max_tries);
  }
  return search;
}

absl::StatusOr<Intervention> ParseTried(const v1::FindAlphaRequest& wire,
                                        int checkpoint, double alpha,
                                        absl::Span<const int32_t> prompt,
                                        const ParseEnv& env) {
  InterventionParts parts;
  parts.checkpoint = checkpoint;
  ALIGNSAE_ASSIGN_OR_RETURN(parts.mode, ParseModeWithAlpha(wire.mode()));
  ALIGNSAE_ASSIGN_OR_RETURN(
      parts.target_slot,
      InField("target", ParseConcept(wire.target(),
                                     env.catalog->checkpoints[checkpoint])));
  if (wire.has_source()) parts.source = &wire.source();
  parts.alpha = alpha;
  parts.unit = wire.unit();
  parts.positions = &wire.positions();
  if (wire.has_when()) parts.when = &wire.when();
  return ResolveIntervention(parts, "target", prompt, env);
}

// The goal's column, which the target must have; and that it is read.
absl::Status ResolveOnTop(const Intervention& intervention, const ParseEnv& env,
                          TargetOnTop& goal) {
  const std::vector<Concept>& concepts =
      env.catalog->checkpoints[intervention.checkpoint].concepts;
  for (; goal.column < static_cast<int>(concepts.size()); ++goal.column) {
    if (concepts[goal.column].slot == intervention.target_slot) break;
  }
  if (goal.column == static_cast<int>(concepts.size())) {
    return InvalidField("target", "be a concept, for goal.target_on_top",
                        absl::StrCat("slot ", intervention.target_slot));
  }
  if (!intervention.positions.prompt.empty()) return absl::OkStatus();
  return InvalidField("positions",
                      "name some of the prompt, for "
                      "goal.target_on_top",
                      "none");
}

// What the tries are measured for.
absl::Status ParseMeasured(const v1::FindAlphaRequest& wire,
                           const ParseEnv& env, ParsedFindAlpha& parsed) {
  if (wire.has_guard()) {
    ALIGNSAE_ASSIGN_OR_RETURN(parsed.measured,
                              InField("guard", ParseGuard(wire.guard())));
  }
  if (auto* goal = std::get_if<TargetOnTop>(&parsed.goal)) {
    ALIGNSAE_RETURN_IF_ERROR(ResolveOnTop(parsed.intervention, env, *goal));
    if (!parsed.measured.has_value()) parsed.measured.emplace();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedFindAlpha> ParseFindAlpha(const v1::FindAlphaRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed) {
  ParsedFindAlpha parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.goal,
                            InField("goal", ParseGoal(wire.goal(), env)));
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.search, ParseSearch(wire, env));
  ALIGNSAE_RETURN_IF_ERROR(CheckNoTrace(wire.generation()));
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.sequence,
                            ParseSequence(wire.prompt(), wire.generation(),
                                          checkpoint, fresh_seed, env));
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.intervention,
                            ParseTried(wire, checkpoint, parsed.search.low,
                                       parsed.sequence.prompt, env));
  ALIGNSAE_RETURN_IF_ERROR(ParseMeasured(wire, env, parsed));
  parsed.asked.checkpoint = checkpoint;
  parsed.asked.seed = parsed.sequence.sampling.seed;
  parsed.asked.stop_sequences = parsed.sequence.stop_sequences;
  ALIGNSAE_RETURN_IF_ERROR(
      InField(SizeField(parsed.sequence),
              CheckReplyBytes(FindAlphaBytes(TriedAt(parsed.search.low, parsed),
                                             parsed.search.max_tries, env),
                              env)));
  return parsed;
}

SequenceSpec TriedAt(double alpha, const ParsedFindAlpha& parsed) {
  SequenceSpec sequence = parsed.sequence;
  Intervention intervention = parsed.intervention;
  intervention.alpha = alpha;
  sequence.interventions =
      std::make_shared<const std::vector<Intervention>>(1, intervention);
  if (parsed.measured.has_value()) Measure(*parsed.measured, sequence);
  return sequence;
}

void AddTry(double alpha, ParsedFindAlpha& parsed, RequestSpec& spec) {
  AddSequence(TriedAt(alpha, parsed), v1::ARM_STEERED, spec, parsed.asked);
  if (parsed.sequences_per_try() == 1) return;
  const int leader = static_cast<int>(spec.sequences.size()) - 1;
  spec.sequences.push_back(FollowerOf(spec.sequences.back(), leader));
}

}  // namespace alignsae
