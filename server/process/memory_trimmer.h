// MemoryTrimmer: gives memory that is free inside the process back to the
// system after a peak. The allocator keeps what lies below the last block in
// use, however much that is.
//
// Looks at the resident memory once a second; while it is well above the least
// that it was since the object was made, it asks the allocator every few
// seconds to give back what it can (milliseconds for each 100 MB, on a thread
// of its own).
//
// Thread-safety: thread-safe; nothing to call.

#ifndef ALIGNSAE_SERVER_PROCESS_MEMORY_TRIMMER_H_
#define ALIGNSAE_SERVER_PROCESS_MEMORY_TRIMMER_H_

#include <cstdint>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"

namespace alignsae {

class MemoryTrimmer {
 public:
  MemoryTrimmer();
  ~MemoryTrimmer();
  MemoryTrimmer(const MemoryTrimmer&) = delete;
  MemoryTrimmer& operator=(const MemoryTrimmer&) = delete;

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Bytes of this process in memory; 0 when the system does not tell.
int64_t ResidentBytes();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_MEMORY_TRIMMER_H_
