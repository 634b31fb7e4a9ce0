// WatchStream: one WatchSlots call: the newest look at the slots at once, then
// each one that SlotWatchers offers, as long as the call lives. A reader that
// is late skips looks; one that leaves a message unread for too long is ended,
// like other streams' readers.
//
// The call holds no lease on a model between looks: a watcher must not keep an
// old generation, or a drain, from its end.
//
// Threads: Begin and OnWritten from the transport's, Offer from SlotWatchers';
// none blocks, but for the lock, which is held while one message is rendered.
// Ownership: see answer_stream.h; SlotWatchers has it too, until it ends.

#ifndef ALIGNSAE_SERVER_API_WATCH_STREAM_H_
#define ALIGNSAE_SERVER_API_WATCH_STREAM_H_

#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "alignsae/v1/concept_service.pb.h"
#include "model/base/mutex.h"
#include "server/api/answer_stream.h"
#include "server/api/call.h"
#include "server/api/slot_watchers.h"

namespace alignsae {

class WatchStream final : public AnswerStream,
                          public SlotWatcher,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  // `request` lives until the call is finished.
  WatchStream(std::shared_ptr<Call> call, const v1::WatchSlotsRequest* request,
              std::shared_ptr<StreamSink<v1::WatchSlotsResponse>> sink)
      : call_(std::move(call)), request_(request), sink_(std::move(sink)) {}

  void Begin() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Offer(std::shared_ptr<const SlotLook> look) override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // In the interactive lane.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Join();

  // Writes the newest look, if it is not sent yet and no write is under way.
  void WriteNewest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Fills message_. False: there is nothing to tell yet.
  absl::StatusOr<bool> Render(const SlotLook& look)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndBeforeStart(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status, absl::Duration patience)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<Call> call_;
  const v1::WatchSlotsRequest* const request_;
  const std::shared_ptr<StreamSink<v1::WatchSlotsResponse>> sink_;

  Mutex mutex_;
  std::shared_ptr<const SlotLook> newest_ ABSL_GUARDED_BY(mutex_);
  v1::WatchSlotsResponse message_ ABSL_GUARDED_BY(mutex_);  // Being written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool sent_ ABSL_GUARDED_BY(mutex_) = false;  // Something.
  absl::Time write_began_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_WATCH_STREAM_H_
