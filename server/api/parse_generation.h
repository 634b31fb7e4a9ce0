// Generate, Complete and Swap: wire requests -> what the scheduler runs. See
// parse_env.h for threads and errors.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(ParsedGeneration parsed,
//                             ParseSwap(request, env, RandomUint64()));
//   scheduler.Submit(std::move(parsed.spec), sink);

#ifndef ALIGNSAE_SERVER_API_PARSE_GENERATION_H_
#define ALIGNSAE_SERVER_API_PARSE_GENERATION_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/scheduler/request.h"
#include "server/api/asked.h"
#include "server/api/parse_env.h"

namespace alignsae {

// One sequence for each arm, the baseline first.
struct ParsedGeneration {
  RequestSpec spec;  // To be moved into the scheduler.
  AskedGeneration asked;
};

// `fresh_seed` is used when the request gives none.
absl::StatusOr<ParsedGeneration> ParseGenerate(const v1::GenerateRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed);
// These two answer with one message, whose size is checked.
absl::StatusOr<ParsedGeneration> ParseComplete(const v1::CompleteRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed);
absl::StatusOr<ParsedGeneration> ParseSwap(const v1::SwapRequest& wire,
                                           const ParseEnv& env,
                                           uint64_t fresh_seed);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_GENERATION_H_
