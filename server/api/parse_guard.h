// SteeringGuard of the wire -> limits. See parse_env.h for the errors; paths
// are relative to the guard.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_GUARD_H_
#define ALIGNSAE_SERVER_API_PARSE_GUARD_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignsae/v1/side_effects.pb.h"
#include "model/scheduler/request.h"

namespace alignsae {

absl::StatusOr<GuardLimits> ParseGuard(const v1::SteeringGuard& wire);

// Has the side effects of a steered sequence measured, and held to `limits`.
void Measure(const GuardLimits& limits, SequenceSpec& sequence);

// What the sequence `leader` of a request is compared with, token by token: the
// same without interventions.
SequenceSpec FollowerOf(const SequenceSpec& steered, int leader);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_GUARD_H_
