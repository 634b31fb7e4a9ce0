// The steering modes and kinds of hook point of the wire and those of the
// model, which cover each other.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_WIRE_MODE_H_
#define ALIGNSAE_SERVER_API_WIRE_MODE_H_

#include <optional>

#include "alignsae/v1/common.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "model/steering/hook_point.h"
#include "model/steering/mode.h"

namespace alignsae {

v1::InterventionMode ToWire(InterventionMode mode);
// nullopt for UNSPECIFIED and for numbers that name no mode.
std::optional<InterventionMode> FromWire(v1::InterventionMode mode);

v1::HookKind ToWire(HookKind kind);
// nullopt for UNSPECIFIED and for numbers that name no kind.
std::optional<HookKind> FromWire(v1::HookKind kind);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_WIRE_MODE_H_
