// Activation: the non-linearity inside a block's MLP.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_
#define ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_

namespace alignsae {

enum class Activation {
  kGeluTanh,   // x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  kGeluErf,    // x/2 (1 + erf(x / sqrt(2)))
  kRelu,       // max(x, 0)
  kSilu,       // x sigmoid(x)
  kQuickGelu,  // x sigmoid(1.702 x)
  kTanh,
};
// Of kQuickGelu.
inline constexpr double kQuickGeluSlope = 1.702;
inline constexpr Activation kAllActivations[] = {
    Activation::kGeluTanh, Activation::kGeluErf,   Activation::kRelu,
    Activation::kSilu,     Activation::kQuickGelu, Activation::kTanh};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_
