// What of a generating request its answer is made with, once the request itself
// is with the scheduler.
//
// Thread-safety: value types, not changed after they are parsed.

#ifndef ALIGNSAE_SERVER_API_ASKED_H_
#define ALIGNSAE_SERVER_API_ASKED_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alignsae/v1/generation.pb.h"
#include "model/scheduler/request.h"

namespace alignsae {

struct AskedArm {
  v1::Arm arm = v1::ARM_BASELINE;
  InterventionList interventions;  // Shared with the sequence's spec.
};

struct AskedGeneration {
  std::vector<AskedArm> arms;  // Of the sequences, in their order.
  std::vector<std::string> stop_sequences;
  std::optional<int> checkpoint;  // Index into the catalog; nullopt: none.
  uint64_t seed = 0;
  bool side_effects = false;  // Of the steered arm are told.
  std::string receipt_id;     // Of the call.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_ASKED_H_
