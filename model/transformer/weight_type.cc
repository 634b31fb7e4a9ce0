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
  if (type == WeightType::kBf16 && !ThisCpu().avx512_bf16) {
    return "this processor has no AVX-512 bfloat16 dot product";
  }
  if (type == WeightType::kInt8 && !ThisCpu().avx512_vnni) {
    return "this processor has no AVX-512 VNNI";
  }
  return "";
}

}  // namespace alignsae
