#include "server/api/parse_guard.h"

#include <cmath>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "model/base/field_error.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

absl::StatusOr<std::optional<double>> ParseLimit(absl::string_view field,
                                                 bool given, double limit) {
  if (!given) return std::nullopt;
  if (std::isfinite(limit) && limit >= 0) return limit;
  return InvalidField(field, "be finite and at least 0", limit);
}

}  // namespace

absl::StatusOr<GuardLimits> ParseGuard(const v1::SteeringGuard& wire) {
  GuardLimits limits;
  ALIGNSAE_ASSIGN_OR_RETURN(
      limits.norm_ratio, ParseLimit("max_norm_ratio", wire.has_max_norm_ratio(),
                                    wire.max_norm_ratio()));
  ALIGNSAE_ASSIGN_OR_RETURN(
      limits.off_target, ParseLimit("max_off_target", wire.has_max_off_target(),
                                    wire.max_off_target()));
  ALIGNSAE_ASSIGN_OR_RETURN(
      limits.kl, ParseLimit("max_kl", wire.has_max_kl(), wire.max_kl()));
  if (!limits.norm_ratio && !limits.off_target && !limits.kl) {
    return InvalidField("", "have a limit", "none");
  }
  return limits;
}

void Measure(const GuardLimits& limits, SequenceSpec& sequence) {
  std::vector<Intervention> measured = *sequence.interventions;
  for (Intervention& intervention : measured) intervention.measure = true;
  sequence.interventions =
      std::make_shared<const std::vector<Intervention>>(std::move(measured));
  sequence.measure = true;
  sequence.guard = limits;
}

SequenceSpec FollowerOf(const SequenceSpec& steered, int leader) {
  SequenceSpec follower = steered;
  follower.interventions = std::make_shared<const std::vector<Intervention>>();
  follower.sampling = {};  // Its own choice is not used.
  follower.trace = false;
  follower.abort_when.reset();
  follower.measure = false;
  follower.guard = {};
  follower.follows = leader;
  return follower;
}

}  // namespace alignsae
