// WakeUp: ends another thread's poll.
//
// Thread-safety: Set from any thread; the others from the owner's.

#ifndef ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_
#define ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_

#include "model/base/posix_file.h"

namespace alignsae {

class WakeUp {
 public:
  WakeUp();

  // Readable once Set was called, until Clear is.
  int fd() const { return fd_.get(); }
  void Set();
  // Only while it is readable, else it waits for that.
  void Clear();

 private:
  FileDescriptor fd_;  // An eventfd.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_
