// Every parameter of a GPT-2 with its name, shape and initialisation, from one
// table: naming, initialising, loading and saving cannot disagree.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_GPT2_PARAMETERS_H_
#define ALIGNSAE_MODEL_GPT2_PARAMETERS_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/gpt2/config.h"
#include "model/gpt2/weights.h"

namespace alignsae {

inline constexpr absl::string_view kTransformerPrefix = "transformer.";

enum class ParameterInit {
  kNormal,      // normal(0, 0.02)
  kProjection,  // the same over sqrt(2 L): a sum into the residual stream
  kZeros,
  kOnes,
};

struct Parameter {
  std::string name;  // Hugging Face's, with the "transformer." prefix.
  std::vector<int64_t> shape;
  ParameterInit init;
  at::Tensor* tensor;  // In the weights that were given.
};

// In a fixed order; a tied head is no parameter of its own. Gives `weights` as
// many blocks as `config` has layers.
std::vector<Parameter> Parameters(const Gpt2Config& config,
                                  Gpt2Weights& weights);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_PARAMETERS_H_
