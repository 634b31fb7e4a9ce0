#include "model/transformer/weight_type.h"

#include "absl/strings/str_cat.h"
#include "model/kernels/cpu_features.h"

namespace alignsae {

absl::string_view WeightTypeName(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return "f32";
    case WeightType::kBf16:
      return "bf16";
    case WeightType::kInt8:
      return "int8";
  }
  return "unknown";
}

absl::StatusOr<WeightType> ParseWeightType(absl::string_view name) {
  for (WeightType type :
       {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
    if (name == WeightTypeName(type)) return type;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("weight_type: must be \"f32\", \"bf16\" or \"int8\", got \"",
                   name, "\""));
}

std::string WhyUnsupported(WeightType type, absl::string_view device) {
  if (type == WeightType::kF32) return "";
  if (device != "cpu") {
    return type == WeightType::kBf16
               ? ""
               : absl::StrCat("device ", device, " runs f32 and bf16 only");
  }
  // Processors with more than these have them too.
  return ThisCpu().avx2_fma ? "" : "this processor has no AVX2 with FMA";
}

}  // namespace alignsae
