#include "model/train/common/decode.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/train/common/run_requests.h"

namespace alignsae {
namespace {

// Arms of one job that run as one request.
struct Group {
  int job = 0;
  std::vector<int> arms;
};

class Decoder {
 public:
  Decoder(absl::Span<const DecodeJob> jobs, const DecodeOptions& options,
          const DecodeCalls& calls)
      : jobs_(jobs), options_(options), calls_(calls) {}

  absl::Status Run(StepExecutor& executor) {
    const int context = options_.catalog->model.context_length;
    for (const DecodeJob& job : jobs_) {
      const int length = static_cast<int>(job.prompt.size());
      if (length <= context) continue;
      return absl::OutOfRangeError(absl::StrCat(
          "prompt: must have at most ", context, " tokens, got ", length));
    }
    return RunRequests(executor, options_.catalog,
                       {.next = [this] { return Next(); },
                        .after_step = [this] { return AfterStep(); }});
  }

  void Answered(const Group& group, int sequence, const ArmAnswer& answer) {
    ++done_;
    calls_.on_answer(group.job, group.arms[sequence], answer);
  }
  // The arms of `group` that got no answer, because one of them has none.
  void Again(Group group) { again_.push_back(std::move(group)); }
  void Fail(const absl::Status& status) { status_.Update(status); }

 private:
  std::optional<RequestToRun> Next();
  RequestToRun Make(Group group);
  absl::Status AfterStep() const {
    if (!status_.ok() || !calls_.on_step) return status_;
    return calls_.on_step(done_);
  }
  int TokensOf(int job) const {
    const int room = options_.catalog->model.context_length -
                     static_cast<int>(jobs_[job].prompt.size());
    return std::min(options_.max_tokens, room);
  }

  absl::Span<const DecodeJob> jobs_;
  const DecodeOptions& options_;
  const DecodeCalls& calls_;
  std::deque<Group> again_;
  int next_job_ = 0;
  int64_t done_ = 0;  // Arms.
  absl::Status status_;
};

// Collects the answers of one group.
class GroupSink : public RequestSink {
 public:
  GroupSink(Decoder* decoder, Group group)
      : decoder_(decoder),
        group_(std::move(group)),
        answers_(group_.arms.size()),
        answered_(group_.arms.size(), false) {}

  bool Deliver(RequestEvent event) override {
    if (auto* token = std::get_if<TokenEvent>(&event)) {
      answers_[token->sequence].tokens.push_back(token->token.token);
    } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
      Finish(*finished);
    } else if (auto* done = std::get_if<RequestDone>(&event)) {
      End(done->status);
    }
    return true;
  }

 private:
  void Finish(const SequenceFinished& finished) {
    if (finished.reason == FinishReason::kCancelled) return;
    ArmAnswer& answer = answers_[finished.sequence];
    answer.ended = finished.reason == FinishReason::kEos;
    if (answer.ended) answer.tokens.pop_back();
    Tell(finished.sequence, answer);
  }
  void Tell(size_t sequence, const ArmAnswer& answer) {
    answered_[sequence] = true;
    decoder_->Answered(group_, static_cast<int>(sequence), answer);
  }
  void TellFailed() {
    answers_[0].failed = true;
    Tell(0, answers_[0]);
  }
  // Logits that are not finite end the whole request: each of its arms is done
  // again, alone, and the one to blame is left.
  void End(const absl::Status& status) {
    if (status.ok()) return;
    if (!absl::IsOutOfRange(status)) return decoder_->Fail(status);
    if (group_.arms.size() == 1) return TellFailed();
    for (size_t i = 0; i < group_.arms.size(); ++i) {
      if (!answered_[i]) decoder_->Again({group_.job, {group_.arms[i]}});
    }
  }

  Decoder* const decoder_;
  const Group group_;
  std::vector<ArmAnswer> answers_;  // By sequence.
  std::vector<bool> answered_;
};

std::optional<RequestToRun> Decoder::Next() {
  if (!again_.empty()) {
    Group group = std::move(again_.front());
    again_.pop_front();
    return Make(std::move(group));
  }
  while (next_job_ < static_cast<int>(jobs_.size())) {
    Group group = {.job = next_job_++, .arms = {}};
    for (int arm = 0; arm < jobs_[group.job].arms; ++arm) {
      group.arms.push_back(arm);
    }
    if (TokensOf(group.job) > 0 && !group.arms.empty()) {
      return Make(std::move(group));
    }
    // The context has no room for an answer.
    for (size_t i = 0; i < group.arms.size(); ++i) Answered(group, i, {});
  }
  return std::nullopt;
}

RequestToRun Decoder::Make(Group group) {
  RequestToRun request;
  const absl::Span<const int32_t> prompt = jobs_[group.job].prompt;
  for (int arm : group.arms) {
    SequenceSpec sequence;
    sequence.prompt.assign(prompt.begin(), prompt.end());
    sequence.interventions = calls_.interventions(group.job, arm);
    sequence.max_new_tokens = TokensOf(group.job);
    request.spec.sequences.push_back(std::move(sequence));  // Greedy.
  }
  request.spec.grouping = Grouping::kAsManyAsFit;
  request.sink = std::make_shared<GroupSink>(this, std::move(group));
  return request;
}

}  // namespace

absl::Status DecodeArms(StepExecutor& executor,
                        absl::Span<const DecodeJob> jobs,
                        const DecodeOptions& options,
                        const DecodeCalls& calls) {
  return Decoder(jobs, options, calls).Run(executor);
}

}  // namespace alignsae
