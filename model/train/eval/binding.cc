#include "model/train/eval/binding.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/common/run_requests.h"

namespace alignsae {
namespace {

BindingCounts Judge(const ConceptReading& reading, int relation,
                    double threshold) {
  BindingCounts counts;
  counts.prompts = 1;
  const std::vector<float>& probabilities = reading.probabilities;
  const float own = probabilities[relation];
  float best_other = 0;
  int better = 0;
  for (size_t r = 0; r < probabilities.size(); ++r) {
    if (static_cast<int>(r) == relation) continue;
    best_other = std::max(best_other, probabilities[r]);
    if (probabilities[r] >= own) ++better;  // A tie is not a win.
  }
  counts.top1 = better < 1;
  counts.top2 = better < 2;
  counts.top3 = better < 3;
  counts.bound = reading.bound;
  counts.own_bound = reading.values[relation] >= threshold;
  counts.margin_sum = static_cast<double>(own) - best_other;
  return counts;
}

// A readout of the last prompt token.
RequestSpec ReadoutOf(const std::vector<int32_t>& prompt, int checkpoint) {
  SequenceSpec sequence;
  sequence.prompt = prompt;
  sequence.interventions = std::make_shared<const std::vector<Intervention>>();
  sequence.observations.push_back(
      {.checkpoint = checkpoint,
       .positions = {static_cast<int>(prompt.size()) - 1}});
  RequestSpec request;
  request.sequences.push_back(std::move(sequence));
  return request;
}

// Hands on the one reading of a request, or why there is none.
class ReadingSink : public RequestSink {
 public:
  ReadingSink(std::function<void(const ConceptReading&)> take,
              absl::Status& status)
      : take_(std::move(take)), status_(status) {}

  bool Deliver(RequestEvent event) override {
    if (auto* finished = std::get_if<SequenceFinished>(&event)) {
      for (const ConceptReading& reading : finished->readings) take_(reading);
    } else if (auto* done = std::get_if<RequestDone>(&event)) {
      status_.Update(done->status);
    }
    return true;
  }

 private:
  const std::function<void(const ConceptReading&)> take_;
  absl::Status& status_;
};

}  // namespace

void BindingCounts::Add(const BindingCounts& other) {
  prompts += other.prompts;
  top1 += other.top1;
  top2 += other.top2;
  top3 += other.top3;
  bound += other.bound;
  own_bound += other.own_bound;
  margin_sum += other.margin_sum;
}

BindingCounts BindingTable::all() const {
  BindingCounts sum = asked;
  sum.Add(never_asked);
  return sum;
}

absl::StatusOr<BindingTable> MeasureBinding(
    const EvalContext& context, const std::vector<EvalPrompt>& prompts,
    int checkpoint, const std::vector<double>& thresholds) {
  const size_t relations = context.set.relations.size();
  BindingTable table;
  table.by_relation.resize(relations);
  table.confusion.assign(relations, std::vector<int64_t>(relations, 0));
  size_t next = 0;
  absl::Status status;
  const auto take = [&](size_t prompt, const ConceptReading& reading) {
    const int relation = prompts[prompt].relation;
    if (reading.probabilities.size() != relations) {
      status.Update(absl::FailedPreconditionError(absl::StrCat(
          "checkpoint: must have one concept per relation (", relations, ")")));
      return;
    }
    const BindingCounts counts = Judge(reading, relation, thresholds[relation]);
    (context.set.people[prompts[prompt].person].asked ? table.asked
                                                      : table.never_asked)
        .Add(counts);
    table.by_relation[relation].Add(counts);
    ++table.confusion[relation][reading.top];
  };
  RequestCalls calls;
  calls.next = [&]() -> std::optional<RequestToRun> {
    if (next == prompts.size()) return std::nullopt;
    const size_t prompt = next++;
    return RequestToRun{
        ReadoutOf(prompts[prompt].tokens, checkpoint),
        std::make_shared<ReadingSink>(
            [&take, prompt](const ConceptReading& r) { take(prompt, r); },
            status)};
  };
  calls.after_step = [&] { return status; };
  ALIGNSAE_RETURN_IF_ERROR(
      RunRequests(context.executor, context.catalog, calls));
  return table;
}

}  // namespace alignsae
