// Memory that is read from end to end in every step.
//
// Thread-safety: a free function. Throws std::bad_alloc.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_STREAMED_MEMORY_H_
#define ALIGNSAE_MODEL_TRANSFORMER_STREAMED_MEMORY_H_

#include <ATen/ATen.h>

#include <cstdint>

namespace alignsae {

// [bytes] of kByte, in large pages where the system grants them: the
// processor's prefetchers stop at the end of a page. Not set to anything.
at::Tensor StreamedMemory(int64_t bytes);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_STREAMED_MEMORY_H_
