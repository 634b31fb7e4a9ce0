// What every generating request has: a prompt and how to go on from it. See
// parse_env.h for threads and errors.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_PARSE_SEQUENCE_H_
#define ALIGNSAE_SERVER_API_PARSE_SEQUENCE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignsae/v1/common.pb.h"
#include "alignsae/v1/generation.pb.h"
#include "model/scheduler/request.h"
#include "server/api/asked.h"
#include "server/api/parse_env.h"

namespace alignsae {

// The fields `prompt` and `generation` of a request, which sequences without
// interventions are made of. `fresh_seed` is used when the request gives none.
absl::StatusOr<SequenceSpec> ParseSequence(const v1::Prompt& prompt,
                                           const v1::GenerationConfig& config,
                                           std::optional<int> checkpoint,
                                           uint64_t fresh_seed,
                                           const ParseEnv& env);

// Of requests whose answers are many: generated tokens are not read.
absl::Status CheckNoTrace(const v1::GenerationConfig& config);

// Appends `sequence`, and what its answer is made with.
void AddSequence(SequenceSpec sequence, v1::Arm arm, RequestSpec& spec,
                 AskedGeneration& asked);
// The same with these interventions.
void AddVariant(SequenceSpec sequence, v1::Arm arm,
                std::vector<Intervention> interventions, RequestSpec& spec,
                AskedGeneration& asked);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_SEQUENCE_H_
