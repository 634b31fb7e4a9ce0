// What one epoch of an SAE's training measured, as value, as JSON and as text.
//
// Thread-safety: value type; free functions.
// Errors: DATA_LOSS or INVALID_ARGUMENT for text that LogToJson did not write.

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_EPOCH_LOG_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_EPOCH_LOG_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// One epoch's means over its rows. Terms are before their weight; those of
// weight 0 are not computed: nullopt.
struct SaeEpochLog {
  int epoch = 0;  // From 1, both stages counted.
  int stage = 1;
  double total = 0;  // With the weights.
  std::optional<double> recon, sparse, align, perp, val, indep, prefix, l0, aux,
      write;
};
// Name and value of each term, in the order of the contracts.
std::vector<std::pair<const char*, std::optional<double>>> TermsOf(
    const SaeEpochLog& log);
// The terms in the same order.
std::vector<std::optional<double>*> MutableTermsOf(SaeEpochLog& log);
// One line for people.
std::string EpochLogLine(const SaeEpochLog& log);

// For the training state: a row per epoch.
nlohmann::json LogToJson(const std::vector<SaeEpochLog>& log);
absl::StatusOr<std::vector<SaeEpochLog>> LogFromJson(const std::string& text);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_EPOCH_LOG_H_
