#include "model/transformer/decode_graphs.h"

#ifdef ALIGNSAE_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace alignsae {

#ifdef ALIGNSAE_CUDA

struct DecodeGraphs::Graph {
  at::Tensor numbers;  // What the graph reads.
  at::Tensor logits;   // What it writes.
  at::cuda::CUDAGraph graph;
};

at::Tensor DecodeGraphs::Run(const DecodeShape& shape,
                             const at::Tensor& numbers, at::Device device,
                             const Pass& pass) {
  if (!device.is_cuda()) return pass(numbers.to(device));
  const c10::cuda::CUDAGuard on_device(device);
  std::unique_ptr<Graph>& known = graphs_[shape];
  if (known == nullptr) {
    auto made = std::make_unique<Graph>();
    made->numbers = numbers.to(device);
    // A stream of its own, as recording demands. What the first pass makes
    // (handles, workspaces) must be there before.
    const c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
    c10::cuda::getCurrentCUDAStream().synchronize();
    {
      const c10::cuda::CUDAStreamGuard on_stream(stream);
      pass(made->numbers);
      stream.synchronize();
      // Other threads may use the device meanwhile.
      made->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
      made->logits = pass(made->numbers);
      made->graph.capture_end();
    }
    known = std::move(made);
  } else {
    known->numbers.copy_(numbers);
  }
  known->graph.replay();
  return known->logits;
}

#else

struct DecodeGraphs::Graph {};

at::Tensor DecodeGraphs::Run(const DecodeShape& shape,
                             const at::Tensor& numbers, at::Device device,
                             const Pass& pass) {
  return pass(numbers.to(device));
}

#endif

DecodeGraphs::DecodeGraphs() = default;
DecodeGraphs::~DecodeGraphs() = default;

}  // namespace alignsae
