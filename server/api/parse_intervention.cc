#include "server/api/parse_intervention.h"

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/nearest.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/text_span.h"
#include "server/api/parse_parts.h"
#include "server/api/wire_mode.h"

namespace alignsae {
namespace {

absl::StatusOr<PositionSelection::Prompt> ParsePromptSelection(
    v1::PromptSelection wire, PositionSelection::Prompt unspecified) {
  switch (wire) {
    case v1::PROMPT_SELECTION_UNSPECIFIED:
      return unspecified;
    case v1::PROMPT_SELECTION_NONE:
      return PositionSelection::Prompt::kNone;
    case v1::PROMPT_SELECTION_LAST:
      return PositionSelection::Prompt::kLast;
    case v1::PROMPT_SELECTION_ALL:
      return PositionSelection::Prompt::kAll;
    case v1::PROMPT_SELECTION_LIST:
      return PositionSelection::Prompt::kList;
    case v1::PROMPT_SELECTION_WINDOW:
      return PositionSelection::Prompt::kWindow;
    default:
      return InvalidField("prompt", "be NONE, LAST, ALL, LIST or WINDOW",
                          static_cast<int>(wire));
  }
}

// Fields that go with one kind of selection only.
absl::Status CheckSelectionFields(const v1::PositionSelection& wire,
                                  PositionSelection::Prompt prompt,
                                  int prompt_length) {
  if (prompt != PositionSelection::Prompt::kList && wire.positions_size() > 0) {
    return InvalidField("positions", "be empty unless prompt is LIST",
                        absl::StrCat(wire.positions_size(), " of them"));
  }
  if (wire.positions_size() > 2 * prompt_length) {
    return InvalidField(
        "positions",
        absl::StrCat("hold at most two for each of the prompt's ",
                     prompt_length, " tokens"),
        wire.positions_size());
  }
  if (prompt != PositionSelection::Prompt::kWindow && wire.has_window()) {
    return FieldStatus({"window", "be absent unless prompt is WINDOW", ""});
  }
  return absl::OkStatus();
}

absl::StatusOr<AlphaUnit> ParseUnit(v1::AlphaUnit unit, InterventionMode mode) {
  switch (unit) {
    case v1::ALPHA_UNIT_UNSPECIFIED:
      return AlphaUnit::kActiveMean;
    case v1::ALPHA_UNIT_ACTIVE_MEAN:
    case v1::ALPHA_UNIT_RAW: {
      const bool raw = unit == v1::ALPHA_UNIT_RAW;
      if (HasAlphaUnit(mode)) {
        return raw ? AlphaUnit::kRaw : AlphaUnit::kActiveMean;
      }
      return InvalidField(
          "unit", absl::StrCat("be absent for ", InterventionModeName(mode)),
          raw ? "RAW" : "ACTIVE_MEAN");
    }
    default:
      return InvalidField("unit", "be ACTIVE_MEAN or RAW",
                          static_cast<int>(unit));
  }
}

absl::StatusOr<double> ParseAlpha(std::optional<double> alpha,
                                  InterventionMode mode) {
  if (!alpha.has_value()) return 1.0;
  if (!HasAlpha(mode)) {
    return InvalidField(
        "alpha", absl::StrCat("be absent for ", InterventionModeName(mode)),
        *alpha);
  }
  if (!std::isfinite(*alpha)) {
    return InvalidField("alpha", "be finite", *alpha);
  }
  return *alpha;
}

absl::StatusOr<std::optional<int>> ParseSource(const InterventionParts& parts,
                                               const Catalog& catalog) {
  if (parts.source == nullptr) return std::nullopt;
  const CheckpointInfo& checkpoint = catalog.checkpoints[parts.checkpoint];
  if (!IsTwoSlotMode(parts.mode)) {
    return FieldStatus(
        {"source",
         absl::StrCat("be absent for ", InterventionModeName(parts.mode)), ""});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int slot,
      InField("source", ParseConcept(*parts.source, checkpoint)));
  if (slot == parts.target_slot) {
    return InvalidField("source", "differ from target",
                        absl::StrCat("slot ", slot, " for both"));
  }
  return slot;
}

// Beside a vector there is no slot, nor a checkpoint to have it.
absl::Status CheckNoSlot(const v1::Intervention& wire) {
  constexpr absl::string_view kRule = "be absent beside a vector";
  if (!wire.checkpoint().empty()) {
    return InvalidField("checkpoint", kRule, Quoted(wire.checkpoint()));
  }
  if (wire.has_target()) return FieldStatus({"target", std::string(kRule), ""});
  if (wire.has_source()) return FieldStatus({"source", std::string(kRule), ""});
  return absl::OkStatus();
}

// Its numbers are checked with the rest of the intervention (CheckVector).
absl::StatusOr<std::shared_ptr<const SteeringVector>> ParseVector(
    const v1::SteeringVector& wire) {
  const std::optional<HookKind> kind = FromWire(wire.hook().kind());
  if (!kind.has_value()) {
    return InvalidField("hook.kind", absl::StrCat("be ", HookKindNames()),
                        v1::HookKind_Name(wire.hook().kind()));
  }
  auto vector = std::make_shared<SteeringVector>();
  vector->hook = {*kind, wire.hook().layer()};
  vector->values.assign(wire.values().begin(), wire.values().end());
  return vector;
}

// The checkpoint, its target and its source.
absl::Status ParseSlot(const v1::Intervention& wire,
                       std::optional<int> checkpoint, const ParseEnv& env,
                       InterventionParts& parts) {
  if (wire.checkpoint().empty() && checkpoint.has_value()) {
    parts.checkpoint = *checkpoint;
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(
        parts.checkpoint,
        InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      parts.target_slot,
      InField("target",
              ParseConcept(wire.target(),
                           env.catalog->checkpoints[parts.checkpoint])));
  if (wire.has_source()) parts.source = &wire.source();
  return absl::OkStatus();
}

// The condition is read where the edit is made.
absl::StatusOr<ReadingCondition> ParseWhen(const InterventionParts& parts,
                                           const Intervention& intervention,
                                           const ParseEnv& env) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ReadingCondition when,
      ParseCondition(
          *parts.when,
          parts.vector == nullptr ? parts.checkpoint : parts.read_checkpoint,
          env));
  const HookPoint& read = env.catalog->checkpoints[when.checkpoint].hook;
  const HookPoint& edited = env.catalog->HookOf(intervention);
  if (read.place() == edited.place()) return when;
  return InvalidField("",
                      absl::StrCat("be of a checkpoint that reads at ",
                                   edited.ToString(), ", where the vector is"),
                      read.ToString());
}

// Says which concept may have been meant.
absl::Status UnknownConcept(const std::string& name,
                            const CheckpointInfo& checkpoint) {
  std::vector<std::string> names;
  for (const Concept& known : checkpoint.concepts) names.push_back(known.name);
  const std::string nearest = Nearest(name, names);
  return FieldStatus(
      {"name", absl::StrCat("be a concept of checkpoint ", checkpoint.name),
       absl::StrCat(Quoted(name), nearest.empty()
                                      ? ""
                                      : absl::StrCat("; did you mean ",
                                                     Quoted(nearest), "?"))},
      absl::StatusCode::kNotFound);
}

bool IsText(const v1::PositionSelection& wire) {
  return wire.prompt() == v1::PROMPT_SELECTION_TEXT ||
         (wire.prompt() == v1::PROMPT_SELECTION_UNSPECIFIED &&
          !wire.text().empty());
}

absl::StatusOr<ResolvedPositions> ParseTextPositions(
    const v1::PositionSelection& wire, absl::Span<const int32_t> prompt,
    const ParseEnv& env) {
  if (!wire.positions().empty()) {
    return InvalidField("positions", "be empty beside a text",
                        wire.positions_size());
  }
  if (wire.has_window()) {
    return FieldStatus({"window", "be absent beside a text", ""});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const TextSpan span,
      InField("text", FindTextSpan(wire.text(), prompt, *env.tokenizer)));
  ResolvedPositions positions;
  for (int i = span.start; i < span.stop; ++i) positions.prompt.push_back(i);
  positions.generated = wire.generated();
  return positions;
}

}  // namespace

absl::StatusOr<int> ParseConcept(const v1::ConceptRef& wire,
                                 const CheckpointInfo& checkpoint) {
  switch (wire.ref_case()) {
    case v1::ConceptRef::kName:
      for (const Concept& known : checkpoint.concepts) {
        if (known.name == wire.name()) return known.slot;
      }
      return UnknownConcept(wire.name(), checkpoint);
    case v1::ConceptRef::kSlot:
      if (wire.slot() >= 0 && wire.slot() < checkpoint.n_features) {
        return wire.slot();
      }
      return FieldStatus(
          {"slot", absl::StrCat("be in [0, ", checkpoint.n_features - 1, "]"),
           absl::StrCat(wire.slot(), "; checkpoint ", checkpoint.name, " has ",
                        checkpoint.n_features, " slots")},
          absl::StatusCode::kNotFound);
    case v1::ConceptRef::REF_NOT_SET:
      break;
  }
  return InvalidField("", "name a concept or a slot", "none");
}

absl::StatusOr<InterventionMode> ParseMode(v1::InterventionMode mode) {
  if (const std::optional<InterventionMode> known = FromWire(mode)) {
    return *known;
  }
  return InvalidField("mode",
                      absl::StrCat("be one of ", InterventionModeNames()),
                      mode == v1::INTERVENTION_MODE_UNSPECIFIED
                          ? "UNSPECIFIED"
                          : absl::StrCat(static_cast<int>(mode)));
}

absl::StatusOr<InterventionMode> ParseModeWithAlpha(v1::InterventionMode wire) {
  if (wire == v1::INTERVENTION_MODE_UNSPECIFIED) return InterventionMode::kSwap;
  ALIGNSAE_ASSIGN_OR_RETURN(const InterventionMode mode, ParseMode(wire));
  if (HasAlpha(mode)) return mode;
  return InvalidField("mode", "be one that has an alpha",
                      InterventionModeName(mode));
}

std::optional<double> RecommendedSwapAlpha(const CheckpointInfo& checkpoint) {
  if (checkpoint.recommended_mode != InterventionMode::kSwap) {
    return std::nullopt;
  }
  return checkpoint.recommended_alpha;
}

absl::StatusOr<ReadingCondition> ParseCondition(
    const v1::ReadingCondition& wire, std::optional<int> checkpoint,
    const ParseEnv& env) {
  if (!checkpoint.has_value()) {
    return FieldStatus({"", "be absent without a checkpoint", ""},
                       absl::StatusCode::kFailedPrecondition);
  }
  const CheckpointInfo& info = env.catalog->checkpoints[*checkpoint];
  ALIGNSAE_ASSIGN_OR_RETURN(const int slot,
                            InField("slot", ParseConcept(wire.slot(), info)));
  if (!wire.has_bound() && !wire.has_above()) {
    return InvalidField("", "ask for bound or above", "neither");
  }
  if (!std::isfinite(wire.above())) {
    return InvalidField("above", "be finite", wire.above());
  }
  ReadingCondition condition;
  condition.checkpoint = *checkpoint;
  if (wire.has_bound()) condition.bound = wire.bound();
  if (wire.has_above()) condition.above = wire.above();
  for (const Concept& known : info.concepts) {
    if (known.slot == slot) return condition;
    ++condition.column;
  }
  return FieldStatus({"slot", "be a concept's: readings have no others",
                      absl::StrCat("slot ", slot)},
                     absl::StatusCode::kNotFound);
}

absl::StatusOr<ResolvedPositions> ParsePositions(
    const v1::PositionSelection& wire, PositionSelection::Prompt unspecified,
    absl::Span<const int32_t> prompt, const ParseEnv& env) {
  const int prompt_length = static_cast<int>(prompt.size());
  if (IsText(wire)) return ParseTextPositions(wire, prompt, env);
  PositionSelection selection;
  ALIGNSAE_ASSIGN_OR_RETURN(selection.prompt,
                            ParsePromptSelection(wire.prompt(), unspecified));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckSelectionFields(wire, selection.prompt, prompt_length));
  selection.positions.assign(wire.positions().begin(), wire.positions().end());
  selection.start = wire.window().start();
  selection.stop =
      wire.window().has_stop() ? wire.window().stop() : prompt_length;
  selection.generated = wire.generated();
  return ResolvePositions(selection, prompt_length);
}

absl::StatusOr<Intervention> ResolveIntervention(
    const InterventionParts& parts, absl::string_view target,
    absl::Span<const int32_t> prompt, const ParseEnv& env) {
  Intervention intervention;
  intervention.checkpoint = parts.checkpoint;
  intervention.mode = parts.mode;
  intervention.target_slot = parts.target_slot;
  intervention.vector = parts.vector;
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.source_slot,
                            ParseSource(parts, *env.catalog));
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.alpha,
                            ParseAlpha(parts.alpha, parts.mode));
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.unit,
                            ParseUnit(parts.unit, parts.mode));
  ALIGNSAE_ASSIGN_OR_RETURN(
      intervention.positions,
      InField("positions",
              ParsePositions(*parts.positions, PositionSelection::Prompt::kLast,
                             prompt, env)));
  // It names the fields of Intervention.
  ALIGNSAE_RETURN_IF_ERROR(
      RenameField("target_slot", target,
                  RenameField("source_slot", "source",
                              env.check_intervention(intervention))));
  if (parts.when != nullptr) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        intervention.when,
        InField("when", ParseWhen(parts, intervention, env)));
  }
  return intervention;
}

absl::StatusOr<Intervention> ParseIntervention(const v1::Intervention& wire,
                                               std::optional<int> checkpoint,
                                               absl::Span<const int32_t> prompt,
                                               const ParseEnv& env) {
  InterventionParts parts;
  ALIGNSAE_ASSIGN_OR_RETURN(parts.mode, ParseMode(wire.mode()));
  if (wire.has_vector()) {
    ALIGNSAE_RETURN_IF_ERROR(CheckNoSlot(wire));
    ALIGNSAE_ASSIGN_OR_RETURN(parts.vector,
                              InField("vector", ParseVector(wire.vector())));
  } else {
    ALIGNSAE_RETURN_IF_ERROR(ParseSlot(wire, checkpoint, env, parts));
  }
  if (wire.has_alpha()) parts.alpha = wire.alpha();
  parts.unit = wire.unit();
  parts.positions = &wire.positions();
  if (wire.has_when()) parts.when = &wire.when();
  parts.read_checkpoint = checkpoint;
  return ResolveIntervention(parts, "target", prompt, env);
}

}  // namespace alignsae
