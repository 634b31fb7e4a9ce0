// GenerationConfig of the wire -> the settings of a sequence. See parse_env.h
// for the errors; paths are relative to the config.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_CONFIG_H_
#define ALIGNSAE_SERVER_API_PARSE_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignsae/v1/generation.pb.h"
#include "model/scheduler/request.h"
#include "server/api/parse_env.h"

namespace alignsae {

// Whether a prompt of so many tokens leaves room for an answer. The path is the
// prompt itself.
absl::Status CheckLeavesRoom(int prompt_length, const ParseEnv& env);

// A sequence without its prompt and interventions. `prompt_length` leaves room
// for an answer; `fresh_seed` is used when the config gives none.
absl::StatusOr<SequenceSpec> ParseGenerationConfig(
    const v1::GenerationConfig& wire, int prompt_length, uint64_t fresh_seed,
    const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_CONFIG_H_
