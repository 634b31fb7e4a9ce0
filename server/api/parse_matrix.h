// SwapMatrix: wire request -> what the scheduler runs. See parse_env.h for
// threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_MATRIX_H_
#define ALIGNSAE_SERVER_API_PARSE_MATRIX_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignsae/v1/swap_matrix.pb.h"
#include "model/scheduler/request.h"
#include "server/api/asked.h"
#include "server/api/parse_env.h"

namespace alignsae {

struct MatrixPlace {
  int source = -1;  // Into ParsedMatrix::swapped; -1: the baseline.
  int target = -1;
};

struct SwappedConcept {
  int slot = 0;
  std::optional<std::string> answer;  // That is expected of it as a target.
};

// One sequence for each cell, the baseline first.
struct ParsedMatrix {
  RequestSpec spec;  // To be moved into the scheduler.
  AskedGeneration asked;
  std::vector<SwappedConcept> swapped;
  std::vector<MatrixPlace> cells;  // Of the sequences.
};

// `fresh_seed` is used when the request gives none.
absl::StatusOr<ParsedMatrix> ParseSwapMatrix(const v1::SwapMatrixRequest& wire,
                                             const ParseEnv& env,
                                             uint64_t fresh_seed);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_MATRIX_H_
