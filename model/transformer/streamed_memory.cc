#include "model/transformer/streamed_memory.h"

#include <sys/mman.h>

#include <memory>
#include <new>

namespace alignsae {

// Not of the heap, where it could be memory that was used before: the system
// leaves that in small pages.
at::Tensor StreamedMemory(int64_t bytes) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  if (bytes < kHugePage / 2) return at::empty({bytes}, at::kByte);
  const size_t padded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const size_t mapped = padded + kHugePage;  // Room to begin at a large page.
  void* memory = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  void* aligned = memory;
  size_t space = mapped;
  std::align(kHugePage, padded, aligned, space);
  madvise(aligned, padded, MADV_HUGEPAGE);  // A wish: failure changes nothing.
  return at::from_blob(
      aligned, {bytes}, [memory, mapped](void*) { munmap(memory, mapped); },
      at::kByte);
}

}  // namespace alignsae
