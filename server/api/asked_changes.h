// What a parsed request asks of a policy: checkpoints, and interventions by the
// names of their concepts.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_ASKED_CHANGES_H_
#define ALIGNSAE_SERVER_API_ASKED_CHANGES_H_

#include <string>

#include "absl/strings/string_view.h"
#include "model/scheduler/request.h"
#include "model/steering/catalog.h"
#include "server/policy/decision.h"

namespace alignsae {

// Name of the concept at a slot; "" when it is none.
std::string ConceptAt(const CheckpointInfo& checkpoint, int slot);

// `method` says what the request calls its fields.
AskedAll AskedOf(absl::string_view method, const RequestSpec& spec,
                 const Catalog& catalog);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ASKED_CHANGES_H_
