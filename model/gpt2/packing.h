// Packing: where the tokens of a step's rows lie, and how attention runs over
// them.
//
// Everything but attention treats tokens alike, so the residual stream is
// packed, [N, D] without padding. Attention needs rectangles: rows are cut into
// pieces of at most kMaxQueries tokens, and pieces of similar shape form a
// group that is padded to one [B, Tq] x [B, Tk] rectangle. Pieces of equal
// shape land in the same group, and a decode token does not pay for a long
// prompt beside it.
//
// Letters in shapes: as gpt2.h; B pieces of a group, Tq its longest piece, Tk
// its longest attended prefix.
//
// Thread-safety: immutable once built.

#ifndef ALIGNSAE_MODEL_GPT2_PACKING_H_
#define ALIGNSAE_MODEL_GPT2_PACKING_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "model/gpt2/config.h"
#include "model/gpt2/kv_cache.h"
#include "model/gpt2/residual_hook.h"

namespace alignsae {

// Indices along a tensor's first dimension; a run of consecutive ones is taken
// as a view instead of a copy.
class IndexSet {
 public:
  IndexSet() = default;
  // `indices` not empty.
  IndexSet(const std::vector<int64_t>& indices, at::Device device);

  int64_t size() const { return size_; }
  // Exactly 0 .. size - 1.
  bool IsWhole(int64_t size) const {
    return consecutive_ && first_ == 0 && size_ == size;
  }
  // [size, ...]; shares memory with `tensor` where it can.
  at::Tensor Take(const at::Tensor& tensor) const;
  const at::Tensor& indices() const { return indices_; }  // [size] int64

 private:
  int64_t first_ = 0;
  int64_t size_ = 0;
  bool consecutive_ = false;
  at::Tensor indices_;
};

struct AttentionGroup {
  int64_t pieces = 0;   // B
  int64_t queries = 0;  // Tq
  int64_t keys = 0;     // Tk
  IndexSet slots;       // [B] KV slots.
  IndexSet padded;  // [B * Tq] packed row of each query; padding repeats one.
  IndexSet real;    // [n] entries of `padded` that are not padding.
  IndexSet packed;  // [n] packed rows of the real entries.
  // [B, 1, Tq, Tk] 0 or -inf; undefined where every query sees every key.
  at::Tensor mask;
};

struct Packing {
  std::vector<PackedRow> rows;  // With `offset` set.
  int64_t tokens = 0;           // N
  at::Tensor slots;             // [N] int64 KV slot of each token.
  at::Tensor positions;         // [N] int64 position of each token.
  std::vector<AttentionGroup> groups;
};

inline constexpr int kMaxQueries = 256;
// Scores [B, H, Tq, Tk] of one group: 64 MiB of float32.
inline constexpr int64_t kMaxGroupScores = int64_t{1} << 24;

// Lays out `rows` (not empty) in their order.
Packing Pack(std::vector<PackedRow> rows, const Gpt2Config& config,
             at::Device device);

// Causal self-attention of the packed tokens over their slots' cached keys and
// values, which already hold the tokens' own. q [N, D] -> [N, D].
at::Tensor PackedAttention(const at::Tensor& q, const Packing& packing,
                           const KvCache& cache, const Gpt2Config& config,
                           int layer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_GPT2_PACKING_H_
