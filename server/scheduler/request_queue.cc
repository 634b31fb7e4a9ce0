#include "server/scheduler/request_queue.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/scheduler/status_payload.h"

namespace alignsae {
namespace {

// Weight of the newest sequence in the mean: the last ten or so count.
constexpr double kNewest = 0.1;

int64_t TokensOf(const SequenceSpec& sequence) {
  return static_cast<int64_t>(sequence.prompt.size()) + sequence.max_new_tokens;
}

}  // namespace

int64_t TokensOf(const RequestSpec& spec) {
  int64_t tokens = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    tokens += TokensOf(sequence);
  }
  return tokens;
}

absl::Status RequestQueue::CheckRoom(const RequestSpec& spec) const {
  const int added = static_cast<int>(spec.sequences.size());
  if (sequences_ + added > options_.max_sequences) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "queue: must hold at most ", options_.max_sequences,
            " waiting sequences, got ", sequences_, " and ", added, " more")),
        kReasonQueueFull);
  }
  const int64_t tokens = TokensOf(spec);
  if (tokens_ > 0 && tokens_ + tokens > options_.max_tokens) {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(
            "queue: must hold at most ", options_.max_tokens,
            " waiting tokens, got ", tokens_, " and ", tokens, " more")),
        kReasonTokenBudget);
  }
  return absl::OkStatus();
}

void RequestQueue::Push(std::shared_ptr<ActiveRequest> request) {
  const std::vector<SequenceSpec>& sequences = request->spec.sequences;
  const auto add = [this, &request](std::vector<int> members) {
    QueuedUnit unit;
    unit.request = request;
    for (int i : members) unit.tokens += TokensOf(request->spec.sequences[i]);
    unit.sequences = std::move(members);
    sequences_ += static_cast<int>(unit.sequences.size());
    tokens_ += unit.tokens;
    units_.push_back(std::move(unit));
  };
  if (request->spec.together) {
    std::vector<int> all(sequences.size());
    std::iota(all.begin(), all.end(), 0);
    add(std::move(all));
    return;
  }
  for (int i = 0; i < static_cast<int>(sequences.size()); ++i) add({i});
}

void RequestQueue::Forget(const QueuedUnit& unit) {
  sequences_ -= static_cast<int>(unit.sequences.size());
  tokens_ -= unit.tokens;
}

std::optional<QueuedUnit> RequestQueue::Pop(int free_slots) {
  if (units_.empty()) return std::nullopt;
  if (static_cast<int>(units_.front().sequences.size()) > free_slots) {
    return std::nullopt;
  }
  QueuedUnit unit = std::move(units_.front());
  units_.pop_front();
  Forget(unit);
  return unit;
}

std::vector<QueuedUnit> RequestQueue::RemoveIf(
    const std::function<bool(const ActiveRequest&)>& drop) {
  std::vector<QueuedUnit> removed;
  std::deque<QueuedUnit> kept;
  for (QueuedUnit& unit : units_) {
    if (drop(*unit.request)) {
      Forget(unit);
      removed.push_back(std::move(unit));
    } else {
      kept.push_back(std::move(unit));
    }
  }
  units_ = std::move(kept);
  return removed;
}

void RequestQueue::RecordService(absl::Duration service) {
  mean_service_ = mean_service_ == absl::ZeroDuration()
                      ? service
                      : (1 - kNewest) * mean_service_ + kNewest * service;
}

absl::Duration RequestQueue::PredictWait(int newcomers, int free_slots,
                                         int slots) const {
  const int ahead = sequences_ + newcomers - free_slots;
  if (ahead <= 0) return absl::ZeroDuration();
  return mean_service_ * (static_cast<double>(ahead) / std::max(1, slots));
}

}  // namespace alignsae
