// Lanes: which thread does which work, so that no kind of work waits for a
// slower kind.
//
//   step         the model: one thread for each served model
//                (server/registry/served_model.h); loads, warms up, runs steps
//   interactive  two threads: parse, render, hand messages to streams. A task
//                takes a few milliseconds at most and never waits. One origin's
//                new work has all of them but one
//   background   two threads at low priority: encodes of whole SAEs, large
//                answers. A task may take seconds, and looks at its call's
//                deadline and cancel several times a second
//   room         one thread: parsed calls that wait for the memory of a large
//                answer before they go to the model
//
// gRPC's own callback threads (two on a small machine, shared with health
// checks) only start and end calls.
//
// A call goes from one lane to the next and holds no thread while it waits.
// New work that finds its lane full is refused; work that was begun always
// finds a place in the interactive lane, which is how calls come to their end.
//
// Not for: work that opens an OpenMP region. Only step threads may: a second
// thread that does gets a pool of its own, and then no pool spins
// (model/tensor/threads.h).
//
// Thread-safety: see WorkerPool. Stop() once no call is left.

#ifndef ALIGNSAE_SERVER_PROCESS_LANES_H_
#define ALIGNSAE_SERVER_PROCESS_LANES_H_

#include <algorithm>

#include "server/process/worker_pool.h"

namespace alignsae {

struct Lanes {
  struct Options {
    int interactive_threads = 2;
    size_t interactive_waiting = 1024;
    int background_threads = 2;
    // What they hold, residuals of prompts above all, is in their calls' memory
    // budget.
    size_t background_waiting = 1024;
    size_t room_waiting = 1024;
  };

  Lanes() : Lanes(Options()) {}
  explicit Lanes(const Options& options)
      : interactive(options.interactive_threads, options.interactive_waiting,
                    WorkerPool::Priority::kNormal,
                    std::max(1, options.interactive_threads - 1)),
        background(options.background_threads, options.background_waiting,
                   WorkerPool::Priority::kLow),
        room(1, options.room_waiting) {}
  ~Lanes() { Stop(); }
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  // Runs what waits and ends all threads. Background work hands its calls over
  // to the interactive lane, so that one ends last.
  void Stop() {
    room.Stop();
    background.Stop();
    interactive.Stop();
  }

  // Memory that answers held is free again: who waits for it is asked.
  void Wake() {
    interactive.Wake();
    background.Wake();
    room.Wake();
  }

  WorkerPool interactive;
  WorkerPool background;
  WorkerPool room;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_LANES_H_
