#include "server/policy/decision.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// `key` of the principal's group does not allow `got`, of which it says `rule`.
absl::Status Denied(const Group& group, absl::string_view field,
                    absl::string_view rule, absl::string_view key,
                    absl::string_view got) {
  return FieldStatus(
      {std::string(field),
       absl::StrCat("be ", rule, " (", key, " of group ", group.name, ")"),
       std::string(got)},
      absl::StatusCode::kPermissionDenied);
}

std::string Shown(absl::string_view concept_name) {
  return concept_name.empty() ? "a slot that is no concept"
                              : Quoted(concept_name);
}

std::string ModesOf(const SteeringRights& rights) {
  return absl::StrJoin(rights.modes, ", ",
                       [](std::string* out, InterventionMode mode) {
                         absl::StrAppend(out, InterventionModeName(mode));
                       });
}

absl::Status DecideAlpha(const Group& group, const FieldNames& names,
                         const AskedChange& change) {
  const SteeringRights& rights = *group.steer;
  // The range is in units of a concept; a vector has none of its own.
  if (!rights.alpha.has_value() || !change.alpha.has_value() || change.vector) {
    return absl::OkStatus();
  }
  const auto [low, high] = *rights.alpha;
  // What is not a number is in no range.
  if (*change.alpha >= low && *change.alpha <= high) return absl::OkStatus();
  return Denied(group, names.alpha,
                absl::StrCat("in [", low, ", ", high, "] active means"),
                "steer.alpha", absl::StrCat(*change.alpha));
}

absl::Status DecideConcepts(const Group& group, const FieldNames& names,
                            const AskedChange& change) {
  const SteeringRights& rights = *group.steer;
  if (!rights.concepts.all && !rights.concepts.Allows(change.target)) {
    return Denied(group, names.target, rights.concepts.ToString(),
                  "steer.concepts", Shown(change.target));
  }
  if (!IsTwoSlotMode(change.mode) || rights.sources.all) {
    return absl::OkStatus();
  }
  if (!change.source.has_value()) {
    return Denied(group, names.source, rights.sources.ToString(),
                  "steer.sources", "none, which is whatever is on top");
  }
  if (rights.sources.Allows(*change.source)) return absl::OkStatus();
  return Denied(group, names.source, rights.sources.ToString(), "steer.sources",
                Shown(*change.source));
}

absl::Status DecideChange(const Group& group, const FieldNames& names,
                          const AskedChange& change) {
  const SteeringRights& rights = *group.steer;
  if (rights.modes.find(change.mode) == rights.modes.end()) {
    return Denied(group, "mode", absl::StrCat("one of ", ModesOf(rights)),
                  "steer.modes", InterventionModeName(change.mode));
  }
  if (!change.vector) {
    ALIGNSAE_RETURN_IF_ERROR(DecideConcepts(group, names, change));
  } else if (!rights.vectors) {
    return Denied(group, "vector", "absent", "steer.vectors", "one");
  }
  return DecideAlpha(group, names, change);
}

}  // namespace

absl::Status DecideRpc(const Principal& principal, absl::string_view rpc) {
  const Group& group = principal.rights();
  if (group.rpcs.Allows(rpc)) return absl::OkStatus();
  return Denied(group, "rpc", "one that is allowed", "rpcs", rpc);
}

absl::Status DecideModel(const Principal& principal, absl::string_view model) {
  const Group& group = principal.rights();
  if (group.models.Allows(model)) return absl::OkStatus();
  return Denied(group, "model", group.models.ToString(), "models",
                Quoted(model));
}

absl::Status Decide(const Principal& principal, const AskedAll& asked) {
  const Group& group = principal.rights();
  for (const std::string& checkpoint : asked.checkpoints) {
    if (group.checkpoints.Allows(checkpoint)) continue;
    return Denied(group, "checkpoint", group.checkpoints.ToString(),
                  "checkpoints", Quoted(checkpoint));
  }
  for (const AskedChange& change : asked.changes) {
    if (!group.steer.has_value()) {
      return InField(change.place, Denied(group, "mode", "absent", "no steer",
                                          InterventionModeName(change.mode)));
    }
    ALIGNSAE_RETURN_IF_ERROR(
        InField(change.place, DecideChange(group, asked.names, change)));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
