#include "server/api/watch_stream.h"

#include <cstdint>

#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/scheduler/endings.h"
#include "server/api/enter_lane.h"
#include "server/api/held_bytes.h"
#include "server/api/paced_refusal.h"
#include "server/api/parse_parts.h"
#include "server/api/render_activity.h"
#include "server/api/render_catalog.h"
#include "server/api/unary_call.h"

namespace alignsae {
namespace {

// What a slow reader gets to take the message that is under way, so that it
// learns why its call ends.
constexpr absl::Duration kLastChance = absl::Seconds(1);
// With less than this to its deadline a watch ends well: the next look would
// come too late, and a failure each time would look like one of the server.
constexpr absl::Duration kTooLate = absl::Milliseconds(1250);

absl::StatusOr<int> ParseWatchSlots(const v1::WatchSlotsRequest& wire,
                                    const ParseEnv& env) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      wire.checkpoint().empty() && !env.catalog->checkpoints.empty()
          ? absl::StatusOr<int>(0)  // Not a canary: it watches all requests.
          : InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_RETURN_IF_ERROR(
      InField("checkpoint", CheckHasConcepts(checkpoint, env)));
  return checkpoint;
}

}  // namespace

void WatchStream::Begin() {
  const absl::Status taken =
      EnterLane(*call_, Lane::kInteractive,
                static_cast<int64_t>(request_->ByteSizeLong()),
                [stream = shared_from_this()] { stream->Run(); });
  if (!taken.ok()) EndBeforeStart(taken);
}

void WatchStream::Run() {
  const absl::Status status = WithoutMemoryFailure([this] { return Join(); });
  if (!status.ok()) EndBeforeStart(status);
}

absl::Status WatchStream::Join() {
  ALIGNSAE_ASSIGN_OR_RETURN(const CallScope scope, EnterCall(call_));
  ALIGNSAE_ASSIGN_OR_RETURN(const int checkpoint,
                            ParseWatchSlots(*request_, scope.parse_env()));
  const CheckpointInfo& info = scope.model->catalog().checkpoints[checkpoint];
  ALIGNSAE_RETURN_IF_ERROR(call_->Permit({{info.name}, {}, {}}, 0));
  ALIGNSAE_RETURN_IF_ERROR(call_->Hold(HeldActivityBytes(info)));
  ALIGNSAE_RETURN_IF_ERROR(call_->env().watchers->Join(shared_from_this()));
  call_->OnCancel([weak = weak_from_this()] {
    if (const auto stream = weak.lock()) stream->EndWith(CancelledByClient());
  });
  return absl::OkStatus();
}

void WatchStream::Offer(std::shared_ptr<const SlotLook> look) {
  MutexLock lock(&mutex_);
  if (finished_) return;
  newest_ = std::move(look);
  // A drain does not wait for a reader either.
  if (const absl::Status why = EnterCall(call_).status(); !why.ok()) {
    End(why, call_->env().unread.max_age);
    return;
  }
  const absl::Time now = call_->env().clock->Now();
  if (writing_ && now - write_began_ > call_->env().unread.max_age) {
    End(SlowReader(), kLastChance);
    return;
  }
  if (sent_ && call_->deadline() - now < kTooLate) {
    End(absl::OkStatus(), call_->env().unread.max_age);
    return;
  }
  WriteNewest();
}

void WatchStream::OnWritten(bool ok) {
  MutexLock lock(&mutex_);
  writing_ = false;
  if (finished_) return;
  if (ok) {
    WriteNewest();
  } else {
    End(CancelledByClient(), call_->env().unread.max_age);
  }
}

void WatchStream::WriteNewest() {
  if (writing_ || newest_ == nullptr) return;
  const std::shared_ptr<const SlotLook> look = std::move(newest_);
  newest_ = nullptr;
  bool rendered = false;
  const absl::Status status = WithoutMemoryFailure(
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(rendered, Render(*look));
        return absl::OkStatus();
      });
  if (!status.ok()) {
    End(status, call_->env().unread.max_age);
    return;
  }
  if (!rendered) return;
  writing_ = true;
  sent_ = true;
  write_began_ = call_->env().clock->Now();
  sink_->Write(message_);
}

absl::StatusOr<bool> WatchStream::Render(const SlotLook& look) {
  ALIGNSAE_ASSIGN_OR_RETURN(const CallScope scope, EnterCall(call_));
  ALIGNSAE_ASSIGN_OR_RETURN(const int checkpoint,
                            ParseWatchSlots(*request_, scope.parse_env()));
  const Catalog& catalog = scope.model->catalog();
  const auto found =
      look.checkpoints.find(catalog.checkpoints[checkpoint].name);
  if (found == look.checkpoints.end()) return false;  // Loaded since the look.
  message_.Clear();
  *message_.mutable_info() =
      RenderInfo(catalog, call_->request_id(), checkpoint);
  message_.set_seconds(absl::ToDoubleSeconds(look.took));
  RenderActivity(found->second, &message_);
  return true;
}

void WatchStream::EndBeforeStart(const absl::Status& status) {
  TellPaced(call_, status, static_cast<int64_t>(request_->ByteSizeLong()),
            [stream = shared_from_this(), status] { stream->EndWith(status); });
}

void WatchStream::EndWith(const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (!finished_) End(status, call_->env().unread.max_age);
}

void WatchStream::End(const absl::Status& status, absl::Duration patience) {
  finished_ = true;
  call_->env().watchers->Leave(this);
  sink_->GiveUpAfter(patience);
  sink_->Finish(nullptr, call_->End(status));
}

}  // namespace alignsae
