#include "server/api/parse_matrix.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/answer_match.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/asked_changes.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/parse_sequence.h"
#include "server/api/reply_size.h"

namespace alignsae {
namespace {

constexpr char kConcepts[] = "concepts";

// The slots that are named, or those of all concepts.
absl::StatusOr<std::vector<SwappedConcept>> ParseSwapped(
    const v1::SwapMatrixRequest& wire, const CheckpointInfo& checkpoint) {
  std::vector<SwappedConcept> swapped;
  if (wire.concepts().empty()) {
    for (const Concept& known : checkpoint.concepts) {
      swapped.push_back({known.slot, std::nullopt});
    }
    return swapped;
  }
  std::set<int> slots;
  for (int i = 0; i < wire.concepts_size(); ++i) {
    const std::string field = Indexed(kConcepts, i);
    ALIGNSAE_ASSIGN_OR_RETURN(
        const int slot,
        InField(field, ParseConcept(wire.concepts(i), checkpoint)));
    if (!slots.insert(slot).second) {
      return InvalidField(field, "differ from those before it",
                          absl::StrCat("slot ", slot));
    }
    swapped.push_back({slot, std::nullopt});
  }
  return swapped;
}

absl::Status CheckPairs(int64_t count, const ParseEnv& env) {
  if (count < 2) {
    return InvalidField(kConcepts, "be at least two", count);
  }
  if (count * (count - 1) > env.limits->max_sweep_cells) {
    return InvalidField(
        kConcepts,
        absl::StrCat("make at most ", env.limits->max_sweep_cells, " pairs"),
        absl::StrCat(count, " x ", count - 1));
  }
  return absl::OkStatus();
}

absl::Status ParseExpected(const v1::SwapMatrixRequest& wire,
                           const CheckpointInfo& checkpoint,
                           std::vector<SwappedConcept>& swapped) {
  for (const auto& [name, answer] : wire.targets()) {
    bool known = false;
    for (SwappedConcept& each : swapped) {
      if (name.empty() || ConceptAt(checkpoint, each.slot) != name) continue;
      each.answer = answer;
      known = true;
    }
    if (!known) {
      return FieldStatus(
          {"targets", "name concepts that are swapped", Quoted(name)},
          absl::StatusCode::kNotFound);
    }
    if (NormalizeAnswer(answer).empty()) {
      return InvalidField(absl::StrCat("targets[", Quoted(name), "]"),
                          "not be empty", Quoted(answer));
    }
  }
  return absl::OkStatus();
}

// The swap of a pair, but for its slots.
absl::StatusOr<Intervention> ParseSwapOfPairs(const v1::SwapMatrixRequest& wire,
                                              int checkpoint, int slot,
                                              absl::Span<const int32_t> prompt,
                                              const ParseEnv& env) {
  InterventionParts parts;
  parts.checkpoint = checkpoint;
  parts.mode = InterventionMode::kSwap;
  parts.target_slot = slot;
  parts.alpha =
      wire.has_alpha()
          ? wire.alpha()
          : RecommendedSwapAlpha(env.catalog->checkpoints[checkpoint]);
  parts.positions = &wire.positions();
  if (wire.has_when()) parts.when = &wire.when();
  absl::StatusOr<Intervention> swap =
      ResolveIntervention(parts, kConcepts, prompt, env);
  if (swap.ok()) return swap;
  return RenameField("source", kConcepts, swap.status());
}

absl::Status AddPairs(const Intervention& swap, const SequenceSpec& sequence,
                      const ParseEnv& env, ParsedMatrix& parsed) {
  const int count = static_cast<int>(parsed.swapped.size());
  for (int source = 0; source < count; ++source) {
    for (int target = 0; target < count; ++target) {
      if (source == target) continue;
      Intervention pair = swap;
      pair.source_slot = parsed.swapped[source].slot;
      pair.target_slot = parsed.swapped[target].slot;
      ALIGNSAE_RETURN_IF_ERROR(
          RenameField("target_slot", Indexed(kConcepts, target),
                      RenameField("source_slot", Indexed(kConcepts, source),
                                  env.check_intervention(pair))));
      AddVariant(sequence, v1::ARM_STEERED, {std::move(pair)}, parsed.spec,
                 parsed.asked);
      parsed.cells.push_back({source, target});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ParsedMatrix> ParseSwapMatrix(const v1::SwapMatrixRequest& wire,
                                             const ParseEnv& env,
                                             uint64_t fresh_seed) {
  ParsedMatrix parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.swapped, ParseSwapped(wire, info));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckPairs(static_cast<int64_t>(parsed.swapped.size()), env));
  ALIGNSAE_RETURN_IF_ERROR(ParseExpected(wire, info, parsed.swapped));
  ALIGNSAE_RETURN_IF_ERROR(CheckNoTrace(wire.generation()));
  ALIGNSAE_ASSIGN_OR_RETURN(const SequenceSpec sequence,
                            ParseSequence(wire.prompt(), wire.generation(),
                                          checkpoint, fresh_seed, env));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const Intervention swap,
      ParseSwapOfPairs(wire, checkpoint, parsed.swapped[0].slot,
                       sequence.prompt, env));
  parsed.asked.checkpoint = checkpoint;
  parsed.asked.seed = sequence.sampling.seed;
  parsed.asked.stop_sequences = sequence.stop_sequences;
  parsed.spec.grouping = Grouping::kAsManyAsFit;
  AddVariant(sequence, v1::ARM_BASELINE, {}, parsed.spec, parsed.asked);
  parsed.cells.push_back({});
  ALIGNSAE_RETURN_IF_ERROR(AddPairs(swap, sequence, env, parsed));
  const SequenceSpec& widest = parsed.spec.sequences.back();
  ALIGNSAE_RETURN_IF_ERROR(InField(
      SizeField(widest), CheckReplyBytes(MatrixCellBytes(widest, env), env)));
  return parsed;
}

}  // namespace alignsae
