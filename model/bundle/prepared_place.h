// Where the prepared weights of a model are kept between loads: a file in the
// user's cache directory for each model and number type, of the model's hash.
//
// A file of an earlier program, or of another config.json, has the same name
// and is written anew, as is one that is damaged. Two processes may write it at
// once; each appears whole, and the last one stays. The eight files that were
// last of use are kept.
//
// Thread-safety: value type, free functions.

#ifndef ALIGNSAE_MODEL_BUNDLE_PREPARED_PLACE_H_
#define ALIGNSAE_MODEL_BUNDLE_PREPARED_PLACE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "model/transformer/prepared_parts.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// Raise it when the way changes in which weights are prepared or taken apart.
inline constexpr int kPreparedVersion = 2;

// Bytes of matrices from which on a model's are kept: a smaller one is prepared
// as fast as it is read.
inline constexpr int64_t kMinPreparedBytes = int64_t{32} << 20;

struct PreparedPlace {
  std::string path;
  PreparedFacts facts;
  int64_t min_bytes = kMinPreparedBytes;
};

// Of the model in `model_directory`, whose weights have the hash `sha256`.
// Errors: those of OpenCacheFolder, and of reading config.json.
absl::StatusOr<PreparedPlace> PlaceOfPrepared(
    const std::string& cache_directory, const std::string& model_directory,
    const std::string& sha256, WeightType type);

// Writes `parts` there, and removes what was long of no use.
absl::Status KeepPrepared(const PreparedPlace& place,
                          const PreparedParts& parts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_PREPARED_PLACE_H_
