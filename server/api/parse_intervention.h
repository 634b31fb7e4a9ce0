// Concepts, positions and interventions of the wire, resolved against a
// checkpoint and a prompt. See parse_env.h for the errors; paths are relative
// to the part.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_INTERVENTION_H_
#define ALIGNSAE_SERVER_API_PARSE_INTERVENTION_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "alignsae/v1/common.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "model/steering/catalog.h"
#include "model/steering/intervention.h"
#include "server/api/parse_env.h"

namespace alignsae {

// The slot of a concept that is named, or given as a slot.
absl::StatusOr<int> ParseConcept(const v1::ConceptRef& wire,
                                 const CheckpointInfo& checkpoint);

// The mode of an intervention; its FieldError's path is "mode".
absl::StatusOr<InterventionMode> ParseMode(v1::InterventionMode mode);
// The same of requests that vary alpha: UNSPECIFIED is SWAP, a mode without an
// alpha is refused.
absl::StatusOr<InterventionMode> ParseModeWithAlpha(v1::InterventionMode mode);
// Strength of a SWAP that says none: the checkpoint's when it recommends SWAP,
// else nullopt.
std::optional<double> RecommendedSwapAlpha(const CheckpointInfo& checkpoint);

// A condition on a concept of `checkpoint`.
absl::StatusOr<ReadingCondition> ParseCondition(
    const v1::ReadingCondition& wire, std::optional<int> checkpoint,
    const ParseEnv& env);

// Positions of a prompt. `unspecified` is what PROMPT_SELECTION_UNSPECIFIED
// means.
absl::StatusOr<ResolvedPositions> ParsePositions(
    const v1::PositionSelection& wire, PositionSelection::Prompt unspecified,
    absl::Span<const int32_t> prompt, const ParseEnv& env);

// An intervention whose parts are still those of a request: what Intervention,
// Swap and a target of SweepAlpha have in common. Its fields are called source,
// alpha, unit and positions in all of them.
struct InterventionParts {
  int checkpoint = 0;  // Not used beside a vector, as target_slot.
  InterventionMode mode = InterventionMode::kSwap;
  int target_slot = 0;                     // See ParseConcept.
  const v1::ConceptRef* source = nullptr;  // nullptr: not given.
  std::optional<double> alpha;             // nullopt: 1.
  v1::AlphaUnit unit = v1::ALPHA_UNIT_UNSPECIFIED;
  const v1::PositionSelection* positions = nullptr;  // Never null.
  std::shared_ptr<const SteeringVector> vector = nullptr;
  const v1::ReadingCondition* when = nullptr;  // nullptr: not given.
  // Whose concept it is about, beside a vector; else that is `checkpoint`.
  std::optional<int> read_checkpoint = std::nullopt;
};

// Checks the parts and whether the checkpoint can run what they make. `target`
// is the target's field, for messages.
absl::StatusOr<Intervention> ResolveIntervention(
    const InterventionParts& parts, absl::string_view target,
    absl::Span<const int32_t> prompt, const ParseEnv& env);

// `checkpoint` is the request's, for interventions that name none.
absl::StatusOr<Intervention> ParseIntervention(const v1::Intervention& wire,
                                               std::optional<int> checkpoint,
                                               absl::Span<const int32_t> prompt,
                                               const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_INTERVENTION_H_
