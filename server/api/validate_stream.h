// ValidateStream: one ValidateBinding call. A few prompts at a time are given
// to the scheduler, and only when nothing else runs or waits there: so
// validation takes steps that nobody wants, and a request that comes meanwhile
// shares at most the steps of one such chunk. Between chunks it looks whether
// anybody still waits for it, and whether the server drains.
//
// It holds a lease on the generation that it began with, for as long as the
// call's deadline at most.
//
// Threads: Begin and OnWritten from the transport's; the request is parsed, and
// chunks are made and counted, in the background lane, one at a time. Waiting
// for an idle model takes a thread of the background lane for kIdleWait at a
// time, then others have their turn. The lock is held while one message is
// rendered. Ownership: see answer_stream.h.

#ifndef ALIGNSAE_SERVER_API_VALIDATE_STREAM_H_
#define ALIGNSAE_SERVER_API_VALIDATE_STREAM_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "alignsae/v1/validation.pb.h"
#include "model/base/mutex.h"
#include "server/api/answer_collector.h"
#include "server/api/answer_stream.h"
#include "server/api/call.h"
#include "server/api/parse_validation.h"
#include "server/api/unary_call.h"
#include "server/api/validation_tally.h"

namespace alignsae {

class ValidateStream final
    : public AnswerStream,
      public std::enable_shared_from_this<ValidateStream> {
 public:
  // `request` lives until the call is finished.
  ValidateStream(std::shared_ptr<Call> call,
                 const v1::ValidateBindingRequest* request,
                 std::shared_ptr<StreamSink<v1::ValidateBindingResponse>> sink)
      : call_(std::move(call)), request_(request), sink_(std::move(sink)) {}

  void Begin() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // In the background lane.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // The next chunk, as a task of the background lane.
  void Schedule(bool begun) ABSL_LOCKS_EXCLUDED(mutex_);
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status InTime(const absl::Status& status) const;
  // False: the model is busy, come again.
  absl::StatusOr<bool> SubmitChunk() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<RequestSpec> NextChunk() const;
  void Take(const absl::Status& status, std::vector<SequenceAnswer>& answers)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Count(std::vector<SequenceAnswer>& answers);
  bool done() const { return next_ == plan_.reads.size() + plan_.swaps.size(); }

  void TellProgress() ABSL_LOCKS_EXCLUDED(mutex_);
  void Report() ABSL_LOCKS_EXCLUDED(mutex_);
  void EndBeforeStart(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // With a report, once the message that is under way is written.
  void EndWith(const absl::Status& status,
               const v1::ValidateBindingResponse* report)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status,
           const v1::ValidateBindingResponse* report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void GuardUnread() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<Call> call_;
  const v1::ValidateBindingRequest* const request_;
  const std::shared_ptr<StreamSink<v1::ValidateBindingResponse>> sink_;

  // Of one task at a time.
  CallScope scope_;
  ValidationPlan plan_;
  std::optional<ValidationTally> tally_;
  size_t next_ = 0;   // First of the reads, then of the swaps.
  size_t chunk_ = 0;  // How many of them are under way.
  absl::Time told_ = absl::InfinitePast();
  v1::ValidateBindingResponse report_;

  Mutex mutex_;
  v1::ValidateBindingResponse message_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool reported_ ABSL_GUARDED_BY(mutex_) = false;  // The report waits.
  bool guarded_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_VALIDATE_STREAM_H_
