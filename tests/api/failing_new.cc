#include "tests/api/failing_new.h"

#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t kLarge = 2048;

bool Fails() {
  int left = alignsae::fail_large_allocation.load();
  while (left > 0) {
    if (alignsae::fail_large_allocation.compare_exchange_weak(left, left - 1)) {
      return left == 1;
    }
  }
  return false;
}

}  // namespace

void* operator new(std::size_t size) {
  if (size >= kLarge && Fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
