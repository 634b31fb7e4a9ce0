// SweepAlpha.

#include <cmath>
#include <memory>
#include <set>
#include <utility>

#include "model/base/status_macros.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

absl::Status CheckCells(const v1::SweepAlphaRequest& wire,
                        const ParseEnv& env) {
  if (wire.targets().empty()) {
    return Invalid("targets", "name at least one concept", "none");
  }
  if (wire.alphas().empty()) {
    return Invalid("alphas", "hold at least one value", "none");
  }
  const int64_t cells = int64_t{wire.targets_size()} * wire.alphas_size();
  if (cells > env.limits->max_sweep_cells) {
    return Invalid(
        "targets and alphas",
        absl::StrCat("make at most ", env.limits->max_sweep_cells, " cells"),
        absl::StrCat(wire.targets_size(), " x ", wire.alphas_size()));
  }
  std::set<double> seen;
  for (int i = 0; i < wire.alphas_size(); ++i) {
    const std::string field = absl::StrCat("alphas[", i, "]");
    if (!std::isfinite(wire.alphas(i))) {
      return Invalid(field, "be finite", wire.alphas(i));
    }
    if (!seen.insert(wire.alphas(i)).second) {
      return Invalid(field, "differ from those before it", wire.alphas(i));
    }
  }
  if (wire.generation().concept_trace()) {
    return Invalid("generation.concept_trace", "be off", "on");
  }
  if (wire.mode() == v1::INTERVENTION_MODE_ABLATE) {
    return Invalid("mode", "be one that has an alpha", "ABLATE");
  }
  return absl::OkStatus();
}

// The target's intervention, at its first alpha.
absl::StatusOr<Intervention> ParseTarget(const v1::SweepAlphaRequest& wire,
                                         int target, int checkpoint,
                                         int prompt_length,
                                         const ParseEnv& env) {
  v1::Intervention of_cell;
  of_cell.set_mode(wire.mode() == v1::INTERVENTION_MODE_UNSPECIFIED
                       ? v1::INTERVENTION_MODE_SWAP
                       : wire.mode());
  *of_cell.mutable_target() = wire.targets(target);
  if (wire.has_source()) *of_cell.mutable_source() = wire.source();
  if (wire.has_positions()) *of_cell.mutable_positions() = wire.positions();
  of_cell.set_unit(wire.unit());
  of_cell.set_alpha(wire.alphas(0));
  absl::StatusOr<Intervention> parsed =
      ParseIntervention(of_cell, "", checkpoint, prompt_length, env);
  if (parsed.ok()) return parsed;
  // The one target is "targets[i]" on the wire.
  std::string sentence(parsed.status().message());
  constexpr absl::string_view kTarget = "target";
  if (absl::string_view(sentence).substr(0, kTarget.size()) == kTarget) {
    sentence =
        absl::StrCat("targets[", target, "]", sentence.substr(kTarget.size()));
  }
  absl::Status told(parsed.status().code(), sentence);
  parsed.status().ForEachPayload(
      [&told](absl::string_view type, const absl::Cord& payload) {
        told.SetPayload(type, payload);
      });
  return told;
}

}  // namespace

absl::StatusOr<ParsedSweep> ParseSweepAlpha(const v1::SweepAlphaRequest& wire,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed) {
  ALIGNSAE_RETURN_IF_ERROR(CheckCells(wire, env));
  ParsedSweep parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      FindCheckpoint(wire.checkpoint(), "checkpoint", env));
  parsed.checkpoint = checkpoint;
  parsed.seed =
      wire.generation().has_seed() ? wire.generation().seed() : fresh_seed;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<int32_t> prompt,
                            ParsePrompt(wire.prompt(), "prompt", env));
  const int prompt_length = static_cast<int>(prompt.size());
  ALIGNSAE_ASSIGN_OR_RETURN(
      SequenceSpec sequence,
      ParseGenerationConfig(wire.generation(), prompt_length, parsed.seed,
                            env));
  sequence.prompt = prompt;
  sequence.reading_checkpoint = checkpoint;
  sequence.interventions = std::make_shared<const std::vector<Intervention>>();
  parsed.spec.grouping = Grouping::kAsManyAsFit;
  parsed.spec.sequences.push_back(sequence);
  parsed.cells.push_back({});
  std::set<int> slots;
  for (int target = 0; target < wire.targets_size(); ++target) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        Intervention intervention,
        ParseTarget(wire, target, checkpoint, prompt_length, env));
    if (!slots.insert(intervention.target_slot).second) {
      return Invalid(absl::StrCat("targets[", target, "]"),
                     "differ from those before it",
                     absl::StrCat("slot ", intervention.target_slot));
    }
    for (int alpha = 0; alpha < wire.alphas_size(); ++alpha) {
      intervention.alpha = wire.alphas(alpha);
      sequence.interventions =
          std::make_shared<const std::vector<Intervention>>(1, intervention);
      parsed.spec.sequences.push_back(sequence);
      parsed.cells.push_back({target, alpha});
    }
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckReplyBytes(ArmBytes(sequence, env),
                                           "generation.max_new_tokens", env));
  return parsed;
}

}  // namespace alignsae
