// A decode step of a plain KV cache as tensors: one token a row, and all that
// differs from step to step in one tensor of whole numbers. So a step is one
// transfer to the device, and a captured graph (decode_graphs.h) reads other
// numbers at each replay.
//
// Letters in shapes: B rows, those that fill up the batch included, Tk keys
// that each row attends to at most, H heads.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_DECODE_PLAN_H_
#define ALIGNSAE_MODEL_TRANSFORMER_DECODE_PLAN_H_

#include <ATen/ATen.h>

#include <compare>
#include <cstdint>

#include "absl/types/span.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {

// What makes two steps run the same operations.
struct DecodeShape {
  int64_t batch = 0;   // B
  int64_t keys = 0;    // Tk
  bool forks = false;  // Some row reads a prefix of another slot.

  friend auto operator<=>(const DecodeShape&, const DecodeShape&) = default;
};

// Whether every row feeds one token, starts from it, and wants its logits.
bool IsDecode(absl::Span<const PackedRow> rows);

// The shape of a step. With `rounded`, B is the next power of two and Tk a
// multiple of 64, so that few shapes occur.
DecodeShape ShapeOf(absl::Span<const PackedRow> rows, int context_length,
                    bool rounded);

// [9, B] int64 on the CPU. Rows that fill up the batch read and write the row
// of the cache that belongs to no slot.
at::Tensor DecodeNumbers(absl::Span<const int32_t> tokens,
                         absl::Span<const PackedRow> rows,
                         const DecodeShape& shape, const KvCache& cache);

// Made of the numbers by operations on their device.
struct DecodePlan {
  DecodePlan(const at::Tensor& numbers, const DecodeShape& shape,
             int64_t heads);

  // [B, H, Tk] rows of a cache seen as [(S T + 1) H, K].
  at::Tensor Cached(int layer) const;

  at::Tensor ids;        // [B]
  at::Tensor positions;  // [B]
  at::Tensor stored;     // [B] row of the cache that the token's key goes to.
  at::Tensor mask;       // [B, 1, 1, Tk] 0 or -inf, float32.

 private:
  at::Tensor site_;   // [B, 1, 1]; undefined without forks.
  at::Tensor below_;  // [B, H, Tk] rows in blocks below the fork's site.
  at::Tensor above_;  // The same from there on.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_DECODE_PLAN_H_
