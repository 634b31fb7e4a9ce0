// CellCollector: keeps the tokens of each cell of a sweep until it is done, and
// lets only the ends through to the stream's events: a cell is one message.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_API_CELL_COLLECTOR_H_
#define ALIGNSAE_SERVER_API_CELL_COLLECTOR_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "model/scheduler/event_queue.h"
#include "server/api/answer_collector.h"

namespace alignsae {

class CellCollector final : public RequestSink {
 public:
  CellCollector(size_t cells, std::shared_ptr<EventQueue> events);

  bool Deliver(RequestEvent event) override ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsStalled(absl::Time now) const override;

  // What the cell said before its SequenceFinished, which is left empty. Once.
  SequenceAnswer Take(int cell) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::shared_ptr<EventQueue> events_;
  Mutex mutex_;
  std::vector<SequenceAnswer> answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_CELL_COLLECTOR_H_
