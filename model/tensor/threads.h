// The number of threads that the model's operations run on.
//
// Each thread that opens an OpenMP region gets a pool of its own for good. With
// more threads in all pools than processors, libgomp's threads no longer spin
// between the regions of a step but sleep, which costs up to half of the speed:
// one thread of a process loads and steps, and others compute alone.
//
// Thread-safety: UseThreads once, before the first operation; ComputeAlone on
// any thread, as often as one likes.

#ifndef ALIGNSAE_MODEL_TENSOR_THREADS_H_
#define ALIGNSAE_MODEL_TENSOR_THREADS_H_

#include <ATen/Parallel.h>
#include <omp.h>

#include "model/base/cpu_count.h"

namespace alignsae {

// 0: every processor that the process may use. LibTorch's own default leaves
// half of them idle where two logical processors are told as one core.
inline void UseThreads(int threads) {
  at::set_num_threads(threads > 0 ? threads : AvailableCpus());
}

// From here on the calling thread's operations run on it alone and open no
// region.
inline void ComputeAlone() {
  // At a thread's first operation LibTorch gives it the number of UseThreads;
  // here, so that it does not do so later. Once in our copy of an inline
  // function of its, and once in its own.
  at::internal::lazy_init_num_threads();
  at::get_num_threads();
  omp_set_num_threads(1);
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TENSOR_THREADS_H_
