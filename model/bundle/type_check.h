// What a number type changes in a model's answers: measured against float32 on
// fixed texts, or found in the cache of an earlier start.
//
// The reference is read from the model's files block by block (Keep::kInFiles),
// so that no second model is held. A cached figure is named after the hash of
// the weights and of config.json, the type and kTypeCheckVersion.
//
// Thread-safety: free functions; concurrent starts may measure twice and write
// the same file.

#ifndef ALIGNSAE_MODEL_BUNDLE_TYPE_CHECK_H_
#define ALIGNSAE_MODEL_BUNDLE_TYPE_CHECK_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/steering/type_measurement.h"
#include "model/transformer/transformer.h"

namespace alignsae {

// Raise it when the texts or the way they are measured change.
inline constexpr int kTypeCheckVersion = 1;

struct TypeCheck {
  std::string directory;  // Of the model.
  // Of its weights; empty: unknown, and then nothing is cached.
  std::string sha256;
  std::string cache_directory;  // Empty: nothing is cached.
};

// Of `model`, which is on the CPU and not in float32. Where the figure could
// not be kept, `warnings` gets a sentence.
absl::StatusOr<TypeMeasurement> MeasureType(const Transformer& model,
                                            const TypeCheck& check,
                                            std::vector<std::string>& warnings);

// The next type to try where `type` misleads: int8, bf16, f32; bf16 only where
// the machine has it.
WeightType SaferThan(WeightType type);

// "KL 0.0012, the same most likely token at 0.98 of 128 positions", for logs.
std::string InWords(const TypeMeasurement& measurement);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BUNDLE_TYPE_CHECK_H_
