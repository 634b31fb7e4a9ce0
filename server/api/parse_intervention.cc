// One intervention of the wire -> a resolved Intervention.

#include <cmath>
#include <utility>

#include "absl/strings/str_replace.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

absl::StatusOr<InterventionMode> ParseMode(v1::InterventionMode mode,
                                           absl::string_view field) {
  switch (mode) {
    case v1::INTERVENTION_MODE_ADD:
      return InterventionMode::kAdd;
    case v1::INTERVENTION_MODE_ADD_NORM_MATCHED:
      return InterventionMode::kAddNormMatched;
    case v1::INTERVENTION_MODE_SET:
      return InterventionMode::kSet;
    case v1::INTERVENTION_MODE_MULTIPLY:
      return InterventionMode::kMultiply;
    case v1::INTERVENTION_MODE_ABLATE:
      return InterventionMode::kAblate;
    case v1::INTERVENTION_MODE_SWAP:
      return InterventionMode::kSwap;
    case v1::INTERVENTION_MODE_REPLACE:
      return InterventionMode::kReplace;
    default:
      return Invalid(field,
                     "be ADD, ADD_NORM_MATCHED, SET, MULTIPLY, ABLATE, SWAP or "
                     "REPLACE",
                     mode == v1::INTERVENTION_MODE_UNSPECIFIED
                         ? "UNSPECIFIED"
                         : absl::StrCat(static_cast<int>(mode)));
  }
}

absl::StatusOr<int> ParseConcept(const v1::ConceptRef& wire,
                                 absl::string_view field,
                                 const CheckpointInfo& checkpoint) {
  switch (wire.ref_case()) {
    case v1::ConceptRef::kName:
      for (const ConceptInfo& known : checkpoint.concepts) {
        if (known.name == wire.name()) return known.slot;
      }
      return absl::NotFoundError(
          absl::StrCat(field, ".name: must be a concept of checkpoint ",
                       checkpoint.name, ", got ", Quoted(wire.name())));
    case v1::ConceptRef::kSlot:
      if (wire.slot() < 0 || wire.slot() >= checkpoint.n_features) {
        return absl::NotFoundError(absl::StrCat(
            field, ".slot: must be in [0, ", checkpoint.n_features - 1,
            "], got ", wire.slot(), "; checkpoint ", checkpoint.name, " has ",
            checkpoint.n_features, " slots"));
      }
      return wire.slot();
    case v1::ConceptRef::REF_NOT_SET:
      break;
  }
  return Invalid(field, "name a concept or a slot", "none");
}

absl::StatusOr<AlphaUnit> ParseUnit(v1::AlphaUnit unit, InterventionMode mode,
                                    absl::string_view field) {
  switch (unit) {
    case v1::ALPHA_UNIT_UNSPECIFIED:
      return AlphaUnit::kActiveMean;
    case v1::ALPHA_UNIT_ACTIVE_MEAN:
    case v1::ALPHA_UNIT_RAW:
      if (HasAlphaUnit(mode)) {
        return unit == v1::ALPHA_UNIT_RAW ? AlphaUnit::kRaw
                                          : AlphaUnit::kActiveMean;
      }
      return Invalid(field,
                     absl::StrCat("be absent for ", InterventionModeName(mode)),
                     unit == v1::ALPHA_UNIT_RAW ? "RAW" : "ACTIVE_MEAN");
    default:
      return Invalid(field, "be ACTIVE_MEAN or RAW", static_cast<int>(unit));
  }
}

absl::Status ParseAlpha(const v1::Intervention& wire, absl::string_view field,
                        Intervention& intervention) {
  if (!wire.has_alpha()) return absl::OkStatus();  // 1.
  if (intervention.mode == InterventionMode::kAblate) {
    return Invalid(field, "be absent for ABLATE", wire.alpha());
  }
  if (!std::isfinite(wire.alpha())) {
    return Invalid(field, "be finite", wire.alpha());
  }
  intervention.alpha = wire.alpha();
  return absl::OkStatus();
}

absl::Status ParseSource(const v1::Intervention& wire, absl::string_view field,
                         const CheckpointInfo& checkpoint,
                         Intervention& intervention) {
  if (!wire.has_source()) return absl::OkStatus();
  if (!IsTwoSlotMode(intervention.mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be absent for ",
                     InterventionModeName(intervention.mode)));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.source_slot,
                            ParseConcept(wire.source(), field, checkpoint));
  if (*intervention.source_slot == intervention.target_slot) {
    return Invalid(
        field, "differ from target",
        absl::StrCat("slot ", intervention.target_slot, " for both"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Intervention> ParseIntervention(const v1::Intervention& wire,
                                               absl::string_view field,
                                               std::optional<int> checkpoint,
                                               int prompt_length,
                                               const ParseEnv& env) {
  // "" is the request itself (Swap), whose fields have no prefix.
  const auto path = [field](absl::string_view name) {
    return field.empty() ? std::string(name) : absl::StrCat(field, ".", name);
  };
  Intervention intervention;
  if (wire.checkpoint().empty() && checkpoint.has_value()) {
    intervention.checkpoint = *checkpoint;
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(
        intervention.checkpoint,
        FindCheckpoint(wire.checkpoint(), path("checkpoint"), env));
  }
  const CheckpointInfo& info =
      env.catalog->checkpoints[intervention.checkpoint];
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.mode,
                            ParseMode(wire.mode(), path("mode")));
  ALIGNSAE_ASSIGN_OR_RETURN(intervention.target_slot,
                            ParseConcept(wire.target(), path("target"), info));
  ALIGNSAE_RETURN_IF_ERROR(
      ParseSource(wire, path("source"), info, intervention));
  ALIGNSAE_RETURN_IF_ERROR(ParseAlpha(wire, path("alpha"), intervention));
  ALIGNSAE_ASSIGN_OR_RETURN(
      intervention.unit,
      ParseUnit(wire.unit(), intervention.mode, path("unit")));
  ALIGNSAE_ASSIGN_OR_RETURN(
      intervention.positions,
      ParsePositions(wire.positions(), path("positions"),
                     PositionSelection::Prompt::kLast, prompt_length));
  const absl::Status applicable = env.check_intervention(intervention);
  if (!applicable.ok()) {
    // It says "source_slot" and "target_slot" for the wire's source and target.
    const std::string sentence = absl::StrReplaceAll(
        path(applicable.message()),
        {{"source_slot:", "source:"}, {"target_slot:", "target:"}});
    return absl::Status(applicable.code(), sentence);
  }
  return intervention;
}

}  // namespace alignsae
