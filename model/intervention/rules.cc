#include "model/intervention/rules.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

absl::Status CheckSlot(const Sae& sae, absl::string_view field, int slot) {
  const int n_features = sae.config().n_features;
  if (slot < 0 || slot >= n_features) {
    return FieldStatus(
        {std::string(field), absl::StrCat("be in [0, ", n_features - 1, "]"),
         absl::StrCat(slot, "; the checkpoint has ", n_features, " slots")},
        absl::StatusCode::kNotFound);
  }
  if (!sae.whole() && sae.ConceptOfSlot(slot) < 0) {
    return FieldStatus(
        {std::string(field), "be a concept's slot",
         absl::StrCat(slot,
                      "; the checkpoint is loaded without its free "
                      "features")},
        absl::StatusCode::kFailedPrecondition);
  }
  return absl::OkStatus();
}

absl::Status CheckSource(const Sae& sae, const Intervention& intervention) {
  const std::optional<int>& source = intervention.source_slot;
  if (!IsTwoSlotMode(intervention.mode)) {
    if (!source.has_value()) return absl::OkStatus();
    return InvalidField(
        "source_slot",
        absl::StrCat("be absent for ", InterventionModeName(intervention.mode)),
        *source);
  }
  if (!source.has_value()) {
    if (sae.concept_count() > 0) return absl::OkStatus();
    return FieldStatus(
        {"source_slot", "be given",
         "none; the checkpoint has no concepts to take the top one of"},
        absl::StatusCode::kFailedPrecondition);
  }
  if (*source == intervention.target_slot) {
    return InvalidField("source_slot", "differ from target_slot",
                        absl::StrCat(*source, " for both"));
  }
  return CheckSlot(sae, "source_slot", *source);
}

absl::Status CheckDirection(const Sae& sae, const Intervention& intervention) {
  const int slot = intervention.target_slot;
  if (sae.HasDirection(slot)) return absl::OkStatus();
  return InvalidField("target_slot",
                      absl::StrCat("have a direction of non-zero norm for ",
                                   InterventionModeName(intervention.mode)),
                      absl::StrCat("slot ", slot, ", whose norm is 0"));
}

}  // namespace

bool UsesActiveMean(const Intervention& intervention) {
  return HasAlphaUnit(intervention.mode) &&
         intervention.unit == AlphaUnit::kActiveMean;
}

double ActiveMean(const Sae& sae, int slot) {
  const int index = sae.ConceptOfSlot(slot);
  return index < 0 ? 0 : sae.config().concepts[index].active_mean;
}

absl::Status CheckApplicable(const Sae& sae, const Intervention& intervention) {
  const int target = intervention.target_slot;
  if (!std::isfinite(intervention.alpha)) {
    return InvalidField("alpha", "be finite", intervention.alpha);
  }
  if (intervention.mode == InterventionMode::kReplace && !sae.whole()) {
    return FieldStatus(
        {"mode", "be one that concept slots suffice for",
         "REPLACE; the checkpoint is loaded without its free features"},
        absl::StatusCode::kFailedPrecondition);
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckSlot(sae, "target_slot", target));
  ALIGNSAE_RETURN_IF_ERROR(CheckSource(sae, intervention));
  if (UsesActiveMean(intervention) && ActiveMean(sae, target) == 0) {
    return FieldStatus(
        {"target_slot",
         absl::StrCat("have a calibrated mean for ",
                      InterventionModeName(intervention.mode)),
         absl::StrCat("slot ", target,
                      ", which has none; give alpha in unit RAW")},
        absl::StatusCode::kFailedPrecondition);
  }
  if (intervention.mode == InterventionMode::kAddNormMatched ||
      intervention.mode == InterventionMode::kProjectOut) {
    return CheckDirection(sae, intervention);
  }
  return absl::OkStatus();
}

}  // namespace alignsae
