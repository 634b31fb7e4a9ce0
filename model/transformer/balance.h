// Moves a layer norm's gain and shift towards the matrix behind it, so that
// both sides of an int8 product round well. The same function exactly:
//
//   (g n + b) W + c  =  (g / s) n (diag(s) W) + (b W + c),   n normalised
//
// An int8 row has one scale, that of its largest number: where a few channels
// are much stronger than the others (Transformers have such), nothing is left
// of the rest. s_i = sqrt(|g_i| / rms(W_i)) makes a channel's gain and its row
// of weights equally large, and neither side has to hold the whole spread. That
// is known from the weights alone, without running the model. It cures what
// gains and weights cause; channels that are strong in the residual stream
// itself stay.
//
// Why not s = g, the whole gain: a model that keeps a strong channel of its
// residual stream small by a small gain would get it back in the rows. Relative
// errors of a product of 768 inputs, two channels of which are special:
//
//                                     s = 1    s = g    here
//   nothing special                   0.011    0.011    0.011
//   gain 50, weights / 50             0.163    0.011    0.011
//   gain 20, weights as the others    0.043    0.044    0.013
//   residual x 20, gain 1 / 20        0.011    0.059    0.016
//
// For int8 only: floating-point numbers round relative to their own size, so
// float32 and bfloat16 gain nothing by it.
//
// Letters in shapes: I inputs (the norm's width), O outputs.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_BALANCE_H_
#define ALIGNSAE_MODEL_TRANSFORMER_BALANCE_H_

#include <ATen/ATen.h>

namespace alignsae {

// A layer norm and the matrix behind it.
struct NormedMatrix {
  at::Tensor gain, shift;  // [I], [I]
  at::Tensor weight;       // [I, O] float32 of any strides
  at::Tensor bias;         // [O], or undefined: none
  // [I], by which the rows of `weight` are still to be multiplied; undefined:
  // by nothing. So that a balanced matrix needs no second copy of it.
  at::Tensor row_scale = {};
};

// The result's weight is that of `plain` with a row_scale. Its bias is defined
// always, and its shift is 0.
NormedMatrix Balanced(const NormedMatrix& plain);

// Columns of a matrix that are gone through at once where a copy of them in
// float32 is needed.
inline constexpr int64_t kColumnsAtOnce = 1024;

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_BALANCE_H_
