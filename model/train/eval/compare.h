// Whether two evaluations say the same: a bundle's stored one and a fresh one,
// perhaps of a sample.
//
// Thread-safety: pure function.
// Errors: FAILED_PRECONDITION lists every figure that differs by more than the
// tolerance.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_COMPARE_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_COMPARE_H_

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Compares, on test wordings, what the language model answers, the diagonal
// accuracy, and swap success in all and by target (each whole-string, all
// people). A sample of n tries of a rate p is off by sqrt(p (1 - p) / n).
absl::Status CompareEvaluations(const nlohmann::json& stored,
                                const nlohmann::json& fresh, double tolerance);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_COMPARE_H_
