// An operator new whose large allocations can be made to fail, for all threads
// of the test that links it.

#ifndef ALIGNSAE_TESTS_API_FAILING_NEW_H_
#define ALIGNSAE_TESTS_API_FAILING_NEW_H_

#include <atomic>

namespace alignsae {

// Which allocation of at least 2 KiB fails, counted from here; 0: none. It is
// counted down, to 0 by the one that fails.
inline std::atomic<int> fail_large_allocation{0};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_API_FAILING_NEW_H_
