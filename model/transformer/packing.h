// Packing: where the tokens of a step's rows lie. Everything but attention
// treats tokens alike, so the residual stream is packed, [N, D] without
// padding.
//
// Thread-safety: immutable once built.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_PACKING_H_
#define ALIGNSAE_MODEL_TRANSFORMER_PACKING_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "model/transformer/residual_hook.h"

namespace alignsae {

struct DecodePlan;  // decode_plan.h

struct Packing {
  std::vector<PackedRow> rows;  // With `offset` set.
  int64_t tokens = 0;           // N
  // A decode step by this plan, in whose place `rows` then stands empty; else
  // null.
  std::shared_ptr<const DecodePlan> decode = nullptr;
};

// Lays out `rows` in their order.
Packing Pack(std::vector<PackedRow> rows);

// [N] int64 positions of the packed tokens.
at::Tensor Positions(const Packing& packing, at::Device device);

// tensor[indices], [n, ...].
at::Tensor TakeRows(const at::Tensor& tensor,
                    const std::vector<int64_t>& indices);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_PACKING_H_
