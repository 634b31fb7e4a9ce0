// ReadConcepts and InspectSlots: wire requests -> what the scheduler runs. See
// parse_env.h for threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_READOUT_H_
#define ALIGNSAE_SERVER_API_PARSE_READOUT_H_

#include "absl/status/statusor.h"
#include "alignsae/v1/concept_service.pb.h"
#include "model/scheduler/request.h"
#include "server/api/parse_env.h"

namespace alignsae {

// One readout for each prompt.
struct ParsedReadout {
  RequestSpec spec;    // To be moved into the scheduler.
  int checkpoint = 0;  // Index into the catalog.
  int top_k = 0;       // InspectSlots only.
};

absl::StatusOr<ParsedReadout> ParseReadConcepts(
    const v1::ReadConceptsRequest& wire, const ParseEnv& env);
absl::StatusOr<ParsedReadout> ParseInspectSlots(
    const v1::InspectSlotsRequest& wire, const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_READOUT_H_
