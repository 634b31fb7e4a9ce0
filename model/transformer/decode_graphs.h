// Decode steps on a GPU as CUDA graphs: the first step of a shape runs and is
// recorded, later ones are replayed by one launch. Without it, the launches of
// a step take longer than its work at most batch sizes.
//
// Built only beside a LibTorch with CUDA (ALIGNSAE_CUDA); elsewhere steps just
// run.
//
// Thread-safety: not thread-safe; the step thread owns it.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_DECODE_GRAPHS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_DECODE_GRAPHS_H_

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <memory>

#include "model/transformer/decode_plan.h"

namespace alignsae {

class DecodeGraphs {
 public:
  // Operations on tensors of the device alone; numbers [9, B] -> logits.
  using Pass = std::function<at::Tensor(const at::Tensor& numbers)>;

  DecodeGraphs();
  ~DecodeGraphs();

  // pass(numbers on the device). The result lies in memory that the next call
  // of the same shape overwrites. `pass` must do the same for a shape each
  // time, and may run more than once on the same numbers.
  at::Tensor Run(const DecodeShape& shape, const at::Tensor& numbers,
                 at::Device device, const Pass& pass);

 private:
  struct Graph;
  std::map<DecodeShape, std::unique_ptr<Graph>> graphs_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_DECODE_GRAPHS_H_
