#include "server/api/find_alpha.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/base/answer_match.h"
#include "model/base/random_id.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/scheduler/endings.h"
#include "server/api/enter_lane.h"
#include "server/api/held_bytes.h"
#include "server/api/parse_find_alpha.h"
#include "server/api/parse_sequence.h"
#include "server/api/render_answer.h"

namespace alignsae {
namespace {

// Alive as long as somebody has it: the lane or the scheduler that it waits in.
class FindAlphaCall final : public std::enable_shared_from_this<FindAlphaCall> {
 public:
  FindAlphaCall(std::shared_ptr<Call> call, const v1::FindAlphaRequest* request,
                v1::FindAlphaResponse* response, Done done)
      : call_(std::move(call)),
        request_(request),
        response_(response),
        done_(std::move(done)) {}

  void Begin() {
    const absl::Status taken =
        EnterLane(*call_, Lane::kInteractive,
                  static_cast<int64_t>(request_->ByteSizeLong()),
                  [self = shared_from_this()] {
                    self->GoOn([&self] { return self->Start(); });
                  });
    if (!taken.ok()) done_(taken);
  }

 private:
  // In the interactive lane: does `work`, then the next round, if it was not
  // the last one.
  void GoOn(const std::function<absl::Status()>& work) {
    bool over = false;
    const absl::Status status = WithoutMemoryFailure([&]() -> absl::Status {
      ALIGNSAE_RETURN_IF_ERROR(work());
      const std::vector<double> alphas = search_->Next();
      over = alphas.empty();
      // Once it is submitted, the next task may be under way.
      const bool begun = rounds_ > 0;
      if (!over) return InTime(SubmitRound(alphas), begun);
      Finish();
      return absl::OkStatus();
    });
    if (over || !status.ok()) done_(status);
  }

  absl::Status Start() {
    ALIGNSAE_ASSIGN_OR_RETURN(scope_, EnterCall(call_));
    ALIGNSAE_ASSIGN_OR_RETURN(
        parsed_, ParseFindAlpha(*request_, scope_.parse_env(), RandomUint64()));
    parsed_.asked.receipt_id = call_->receipt_id();
    search_.emplace(parsed_.search);
    RequestSpec widest;
    AskedGeneration asked;
    AddSequence(TriedAt(parsed_.search.low, parsed_), v1::ARM_STEERED, widest,
                asked);
    ALIGNSAE_RETURN_IF_ERROR(
        call_->Hold((parsed_.search.max_tries + 1) *
                    HeldBytes(widest, scope_.model->catalog())));
    RenderHead(scope_.model->catalog(), call_->request_id(), parsed_.asked,
               parsed_.sequence.prompt, response_);
    response_->set_prompt_token_count(response_->prompt_token_ids_size());
    return absl::OkStatus();
  }

  // The scheduler refuses a round for which the time left is too short. Between
  // rounds that is the deadline of the whole.
  static absl::Status InTime(const absl::Status& status, bool begun) {
    return begun && ReasonOf(status) == kReasonDeadline ? DeadlinePassed()
                                                        : status;
  }

  absl::Status SubmitRound(const std::vector<double>& alphas) {
    ++rounds_;
    RequestSpec spec;
    spec.grouping = Grouping::kAsManyAsFit;
    parsed_.asked.arms.clear();
    if (rounds_ == 1) {
      AddVariant(parsed_.sequence, v1::ARM_BASELINE, {}, spec, parsed_.asked);
    }
    for (double alpha : alphas) {
      AddSequence(TriedAt(alpha, parsed_), v1::ARM_STEERED, spec,
                  parsed_.asked);
    }
    round_ = alphas;
    auto collector = std::make_shared<AnswerCollector>(
        spec.sequences.size(),
        [self = shared_from_this()](const absl::Status& status,
                                    std::vector<SequenceAnswer> answers) {
          const auto shared =
              std::make_shared<std::vector<SequenceAnswer>>(std::move(answers));
          self->call_->env().lanes->interactive.Schedule(
              [self, status, shared] {
                self->GoOn([&] { return self->Take(status, *shared); });
              });
        });
    return scope_.Submit(std::move(spec), std::move(collector)).status();
  }

  absl::Status Take(const absl::Status& status,
                    std::vector<SequenceAnswer>& answers) {
    for (const SequenceAnswer& answer : answers) {
      call_->AddFinished(answer.finished);
    }
    ALIGNSAE_RETURN_IF_ERROR(status);
    size_t next = 0;
    if (rounds_ == 1) {
      *response_->mutable_baseline() = Render(next, answers[next]);
      response_->set_baseline_reaches(
          Reached(response_->baseline(), answers[next]));
      ++next;
    }
    for (double alpha : round_) {
      v1::AlphaTry* tried = response_->add_tries();
      tried->set_alpha(alpha);
      tried->set_round(rounds_);
      *tried->mutable_result() = Render(next, answers[next]);
      tried->set_reached(Reached(tried->result(), answers[next]));
      search_->Take(alpha, tried->reached());
      ++next;
    }
    return absl::OkStatus();
  }

  v1::ArmResult Render(size_t index, const SequenceAnswer& answer) const {
    return RenderWholeArm(parsed_.asked, index, answer, scope_.model->catalog(),
                          scope_.model->tokenizer());
  }

  bool Reached(const v1::ArmResult& answer,
               const SequenceAnswer& sequence) const {
    if (answer.has_guard_stop()) return false;
    if (const auto* top = std::get_if<TargetOnTop>(&parsed_.goal)) {
      return IsOnTop(top->column, sequence.finished.receipts);
    }
    if (const auto* text = std::get_if<std::string>(&parsed_.goal)) {
      return WholeAnswerMatches(*text, answer.text());
    }
    return answer.tokens_size() > 0 &&
           answer.tokens(0).id() == std::get<int32_t>(parsed_.goal);
  }

  // At the last position of the prompt that the receipt of the one intervention
  // lists; the baseline has none.
  bool IsOnTop(size_t column,
               const std::vector<InterventionReceipt>& receipts) const {
    if (receipts.empty()) return false;
    const int length = static_cast<int>(parsed_.sequence.prompt.size());
    const PositionEffect* last = nullptr;
    for (const PositionEffect& effect : receipts[0].effects) {
      if (effect.position < length) last = &effect;
    }
    if (last == nullptr) return false;
    const std::vector<float>& after = last->slots_after;
    return column < after.size() && after[column] > 0 &&
           *std::max_element(after.begin(), after.end()) == after[column];
  }

  void Finish() {
    std::sort(response_->mutable_tries()->begin(),
              response_->mutable_tries()->end(),
              [](const v1::AlphaTry& a, const v1::AlphaTry& b) {
                return a.alpha() < b.alpha();
              });
    response_->set_rounds(rounds_);
    response_->set_exact(search_->exact());
    const std::optional<AlphaSearch::Found> found = search_->found();
    if (!found.has_value()) return;
    response_->set_smallest(found->smallest);
    response_->set_largest(found->largest);
    response_->set_open_below(found->open_below);
    response_->set_open_above(found->open_above);
  }

  const std::shared_ptr<Call> call_;
  const v1::FindAlphaRequest* const request_;
  v1::FindAlphaResponse* const response_;
  const Done done_;

  // Of one task at a time.
  CallScope scope_;
  ParsedFindAlpha parsed_;  // Its arms are the round's.
  std::optional<AlphaSearch> search_;
  std::vector<double> round_;  // Alphas that run.
  int rounds_ = 0;
};

}  // namespace

void FindAlpha(std::shared_ptr<Call> call, const v1::FindAlphaRequest* request,
               v1::FindAlphaResponse* response, Done done) {
  call->AskFor(request->model());
  done = PacedDone(call, static_cast<int64_t>(request->ByteSizeLong()),
                   std::move(done));
  std::make_shared<FindAlphaCall>(std::move(call), request, response,
                                  std::move(done))
      ->Begin();
}

}  // namespace alignsae
