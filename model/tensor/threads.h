// The number of threads that the model's operations run on.
//
// Thread-safety: call once, before the first operation.

#ifndef ALIGNSAE_MODEL_TENSOR_THREADS_H_
#define ALIGNSAE_MODEL_TENSOR_THREADS_H_

#include <ATen/Parallel.h>

#include "model/base/cpu_count.h"

namespace alignsae {

// 0: every processor that the process may use. LibTorch's own default leaves
// half of them idle where two logical processors are told as one core.
inline void UseThreads(int threads) {
  at::set_num_threads(threads > 0 ? threads : AvailableCpus());
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TENSOR_THREADS_H_
