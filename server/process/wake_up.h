// WakeUp: ends another thread's poll. PollMilliseconds: how long it may last.
//
// Thread-safety: Set from any thread; WakeUp's others from the owner's.

#ifndef ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_
#define ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_

#include "absl/time/time.h"
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

// What poll may be given to look again at `time`: -1, for ever, for the
// infinite future, else at most a minute, and a millisecond more than is left
// rather than less.
int PollMilliseconds(absl::Time time);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_WAKE_UP_H_
