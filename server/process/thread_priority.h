// The priority of work that may take its time beside the model's threads.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_PROCESS_THREAD_PRIORITY_H_
#define ALIGNSAE_SERVER_PROCESS_THREAD_PRIORITY_H_

namespace alignsae {

// Of the calling thread, and of those that it starts, from what the process
// has: ten nicer, SCHED_BATCH. Where every processor is busy it gets about a
// tenth of one: enough to come to its end, too little to hold up the model's
// threads. Lowering needs no right; where it fails all the same, the work is
// done at the usual priority.
void LowerPriority();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_THREAD_PRIORITY_H_
