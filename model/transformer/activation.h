// Activation: the non-linearity inside a block's MLP.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_
#define ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_

namespace alignsae {

enum class Activation { kGeluTanh /* gelu_new */, kGeluErf /* gelu */, kRelu };

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_ACTIVATION_H_
