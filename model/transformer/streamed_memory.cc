#include "model/transformer/streamed_memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace alignsae {

at::Tensor StreamedMemory(int64_t bytes) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  if (bytes < kHugePage / 2) return at::empty({bytes}, at::kByte);
  const int64_t padded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, padded);
  if (memory == nullptr) throw std::bad_alloc();
  madvise(memory, padded, MADV_HUGEPAGE);  // A wish: failure changes nothing.
  return at::from_blob(
      memory, {bytes}, [](void* block) { std::free(block); }, at::kByte);
}

}  // namespace alignsae
