// Transformer: a frozen decoder-only model's forward pass over packed rows, of
// any family.
//
// One call runs one step: rows of different sequences, each with its own length
// and place in the KV cache, are packed into one [N, D] residual stream. Rows
// may leave early (readouts stop at their hook), and only the positions whose
// logits are wanted meet the head. Rows that are variants of one prompt
// run as one row up to the site where they part (PackedRow::continues).
//
// Forward is the same for all families: it walks the sites (facts.h), calls the
// hook at each and runs the block behind it. A family says what an embedding,
// a block and the head are; of the hook it sees no more than a BlockHook, where
// the inside of a block is wanted.
//
// What a second family needs, and where it finds it (GPT-NeoX is the measure):
// - Rotary positions turn queries and keys inside RunBlock, before the store:
//   Positions(packing) are absolute, for forks and for the `last` rows of
//   RunLastBlock too, and the cache holds keys as they were turned. A slot's
//   keys stay where they are, so nothing is ever turned again.
// - A parallel residual (facts.h) is a matter of RunBlock alone: both halves
//   read x as it came in, and x is added to once. Sites lie between blocks in
//   either case, so forks and early exit do not change; there is no resid_mid.
// - A layer norm that feeds its own matrix goes through Balanced (balance.h)
//   for int8, wherever it stands.
//
// Letters in shapes: N packed tokens of the step, D d_model, H heads, K head
// dimension, T context length, V vocabulary, S cache slots.
//
// Thread-safety: const after load; one KvCache per thread of execution.
//
// Example:
//   std::vector<PackedRow> rows = {{.kv_slot = 0, .length = 5, .exit_site = 12,
//                                   .logits = 1}};
//   at::Tensor logits = model.Forward(token_ids, rows, cache, nullptr);

#ifndef ALIGNSAE_MODEL_TRANSFORMER_TRANSFORMER_H_
#define ALIGNSAE_MODEL_TRANSFORMER_TRANSFORMER_H_

#include <ATen/ATen.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/transformer/facts.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/linear.h"
#include "model/transformer/packing.h"
#include "model/transformer/residual_hook.h"
#include "model/transformer/weight_type.h"

namespace alignsae {

// Where a model's weights are between two steps.
enum class Keep {
  kPrepared,  // In memory, as they are multiplied by.
  // In their files: each block is read when it is run and dropped behind it.
  // For float32 on the CPU, and for one step of many tokens: the reference that
  // a number type is measured against.
  kInFiles,
};

class Transformer {
 public:
  virtual ~Transformer() = default;

  const TransformerFacts& facts() const { return facts_; }
  WeightType weight_type() const { return type_; }
  virtual at::Device device() const = 0;
  // What one decode step multiplies by; empty where the weights stay in their
  // files. They live as long as the model.
  virtual std::vector<const Linear*> Matrices() const = 0;
  // Their memory: what one decode step reads.
  int64_t matrix_bytes() const;
  // Has each of them fetch the one behind it, the last the first. Once the
  // model is whole, before it is run.
  void LinkMatrices() const;
  // What a KvCache for this model holds: float32 beside float32 weights,
  // bfloat16 beside the others.
  KvType kv_type() const {
    return type_ == WeightType::kF32 ? KvType::kF32 : KvType::kBf16;
  }

  // Runs the rows' tokens (packed in the order of the rows that start from
  // tokens) through the blocks and writes their keys and values into `cache`,
  // which must be of kv_type(). Returns logits [R, V] float32 of the last
  // `logits` positions of each row, in row order (R may be 0). `hook` may
  // be null. No two rows write the same positions of a slot in the same block.
  at::Tensor Forward(absl::Span<const int32_t> tokens,
                     std::vector<PackedRow> rows, KvCache& cache,
                     ResidualHook* hook) const;
  // The same in two, for a caller that has no room for all logits at once: what
  // the head is given, [R, D], and the head on any rows of it, [r, V]. On a
  // GPU, a step of one token a row that `hook` leaves alone runs as a CUDA
  // graph, and the next such step overwrites what BeforeHead gave.
  at::Tensor BeforeHead(absl::Span<const int32_t> tokens,
                        std::vector<PackedRow> rows, KvCache& cache,
                        ResidualHook* hook) const;
  at::Tensor Head(const at::Tensor& x) const;
  // The head without the last layer norm and without biases, x W_U: [R, D] ->
  // [R, V] float32, on device(). Undefined for a family that does not tell it.
  virtual at::Tensor Unembed(const at::Tensor& x) const { return {}; }

 protected:
  Transformer(TransformerFacts facts, WeightType type)
      : facts_(std::move(facts)), type_(type) {}
  Transformer(Transformer&&) = default;
  Transformer& operator=(Transformer&&) = default;

 private:
  // BeforeHead of a decode step of a cache in plain layout, without a hook.
  at::Tensor Decode(absl::Span<const int32_t> tokens,
                    absl::Span<const PackedRow> rows, KvCache& cache) const;

  // The residual stream [N, D] float32 that enters block 0. ids and positions
  // [N] int64.
  virtual at::Tensor Embed(const at::Tensor& ids,
                           const at::Tensor& positions) const = 0;
  // Runs block `layer` on the residual stream x [N, D], in place. Writes the
  // tokens' keys and values. `hook` is called at the block's inner hook points;
  // nullptr: nobody wants them.
  virtual void RunBlock(int layer, const Packing& packing, KvCache& cache,
                        const BlockHook* hook, at::Tensor& x) const = 0;
  // The last block, where only `last`, the packed rows `kept` of `packing`, go
  // on: of all others only keys and values are left behind. x becomes
  // [kept, D]; it may be left alone when `kept` is empty.
  virtual void RunLastBlock(const Packing& packing,
                            const std::vector<int64_t>& kept,
                            const Packing& last, KvCache& cache,
                            at::Tensor& x) const = 0;
  // x [R, D] -> [R, V] float32, with the last layer norm.
  virtual at::Tensor Logits(const at::Tensor& x) const = 0;

  TransformerFacts facts_;
  WeightType type_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_TRANSFORMER_H_
