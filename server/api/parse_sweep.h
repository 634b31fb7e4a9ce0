// SweepAlpha: wire request -> what the scheduler runs. See parse_env.h for
// threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_SWEEP_H_
#define ALIGNSAE_SERVER_API_PARSE_SWEEP_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/scheduler/request.h"
#include "server/api/asked.h"
#include "server/api/parse_env.h"

namespace alignsae {

struct SweepPlace {
  int target = -1;  // Into the request's targets; -1: the baseline.
  int alpha = -1;   // Into the request's alphas.
};

// One sequence for each cell, the baseline first.
struct ParsedSweep {
  RequestSpec spec;  // To be moved into the scheduler.
  AskedGeneration asked;
  std::vector<SweepPlace> cells;  // Of the sequences.
};

// `fresh_seed` is used when the request gives none.
absl::StatusOr<ParsedSweep> ParseSweepAlpha(const v1::SweepAlphaRequest& wire,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_SWEEP_H_
