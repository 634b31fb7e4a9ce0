#include "server/api/parse_sweep.h"

#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/parse_sequence.h"
#include "server/api/reply_size.h"

namespace alignsae {
namespace {

absl::Status CheckAlphas(const v1::SweepAlphaRequest& wire) {
  std::set<double> seen;
  for (int i = 0; i < wire.alphas_size(); ++i) {
    if (!std::isfinite(wire.alphas(i))) {
      return InvalidField(Indexed("alphas", i), "be finite", wire.alphas(i));
    }
    if (!seen.insert(wire.alphas(i)).second) {
      return InvalidField(Indexed("alphas", i), "differ from those before it",
                          wire.alphas(i));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCells(const v1::SweepAlphaRequest& wire,
                        const ParseEnv& env) {
  if (wire.targets().empty()) {
    return InvalidField("targets", "name at least one concept", "none");
  }
  if (wire.alphas().empty()) {
    return InvalidField("alphas", "hold at least one value", "none");
  }
  const int64_t cells = int64_t{wire.targets_size()} * wire.alphas_size();
  if (cells > env.limits->max_sweep_cells) {
    return InvalidField(
        "targets and alphas",
        absl::StrCat("make at most ", env.limits->max_sweep_cells, " cells"),
        absl::StrCat(wire.targets_size(), " x ", wire.alphas_size()));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckAlphas(wire));
  return CheckNoTrace(wire.generation());
}

// The interventions of the targets, at the first alpha.
absl::StatusOr<std::vector<Intervention>> ParseTargets(
    const v1::SweepAlphaRequest& wire, int checkpoint,
    absl::Span<const int32_t> prompt, const ParseEnv& env) {
  InterventionParts parts;
  parts.checkpoint = checkpoint;
  ALIGNSAE_ASSIGN_OR_RETURN(parts.mode, ParseModeWithAlpha(wire.mode()));
  if (wire.has_source()) parts.source = &wire.source();
  parts.alpha = wire.alphas(0);
  parts.unit = wire.unit();
  parts.positions = &wire.positions();
  if (wire.has_when()) parts.when = &wire.when();
  std::vector<Intervention> targets;
  std::set<int> slots;
  for (int i = 0; i < wire.targets_size(); ++i) {
    const std::string field = Indexed("targets", i);
    ALIGNSAE_ASSIGN_OR_RETURN(
        parts.target_slot,
        InField(field, ParseConcept(wire.targets(i),
                                    env.catalog->checkpoints[checkpoint])));
    ALIGNSAE_ASSIGN_OR_RETURN(Intervention intervention,
                              ResolveIntervention(parts, field, prompt, env));
    if (!slots.insert(parts.target_slot).second) {
      return InvalidField(field, "differ from those before it",
                          absl::StrCat("slot ", parts.target_slot));
    }
    targets.push_back(std::move(intervention));
  }
  return targets;
}

}  // namespace

absl::StatusOr<ParsedSweep> ParseSweepAlpha(const v1::SweepAlphaRequest& wire,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed) {
  ALIGNSAE_RETURN_IF_ERROR(CheckCells(wire, env));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_ASSIGN_OR_RETURN(const SequenceSpec sequence,
                            ParseSequence(wire.prompt(), wire.generation(),
                                          checkpoint, fresh_seed, env));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<Intervention> targets,
      ParseTargets(wire, checkpoint, sequence.prompt, env));
  ParsedSweep parsed;
  parsed.asked.checkpoint = checkpoint;
  parsed.asked.seed = sequence.sampling.seed;
  parsed.asked.stop_sequences = sequence.stop_sequences;
  parsed.spec.grouping = Grouping::kAsManyAsFit;
  AddVariant(sequence, v1::ARM_BASELINE, {}, parsed.spec, parsed.asked);
  parsed.cells.push_back({});
  for (int target = 0; target < wire.targets_size(); ++target) {
    for (int alpha = 0; alpha < wire.alphas_size(); ++alpha) {
      Intervention intervention = targets[target];
      intervention.alpha = wire.alphas(alpha);
      AddVariant(sequence, v1::ARM_STEERED, {std::move(intervention)},
                 parsed.spec, parsed.asked);
      parsed.cells.push_back({target, alpha});
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(InField(
      SizeField(parsed.spec.sequences.back()),
      CheckReplyBytes(SweepCellBytes(parsed.spec.sequences.back(), env), env)));
  return parsed;
}

}  // namespace alignsae
