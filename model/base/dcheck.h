// ALIGNSAE_DCHECK: a condition that only a fault of this program can break.
//
// In builds without NDEBUG a condition that does not hold ends the process with
// file and line; with NDEBUG it is compiled but never evaluated. Not for what
// comes from outside (files, requests, time): that is refused with a status.
//
// Thread-safety: thread-safe.
//
// Example:
//   ALIGNSAE_DCHECK(free_count() <= slots_);

#ifndef ALIGNSAE_MODEL_BASE_DCHECK_H_
#define ALIGNSAE_MODEL_BASE_DCHECK_H_

#include <cstdio>
#include <cstdlib>

namespace alignsae {

[[noreturn]] inline void DcheckFailed(const char* file, int line,
                                      const char* condition) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
  std::abort();
}

}  // namespace alignsae

#ifdef NDEBUG
#define ALIGNSAE_DCHECK(condition) static_cast<void>(true || (condition))
#else
#define ALIGNSAE_DCHECK(condition)    \
  ((condition) ? static_cast<void>(0) \
               : ::alignsae::DcheckFailed(__FILE__, __LINE__, #condition))
#endif

#endif  // ALIGNSAE_MODEL_BASE_DCHECK_H_
