#include "model/train/eval/binding.h"

#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

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
  const auto no_edits = std::make_shared<const std::vector<Intervention>>();
  const size_t slots = static_cast<size_t>(context.executor.kv_slots());
  for (size_t begin = 0; begin < prompts.size(); begin += slots) {
    const size_t end = std::min(begin + slots, prompts.size());
    std::vector<StepRow> rows;
    for (size_t i = begin; i < end; ++i) {
      const int length = static_cast<int>(prompts[i].tokens.size());
      StepRow row;
      row.kv_slot = static_cast<int>(i - begin);
      row.tokens = prompts[i].tokens;
      row.prompt_length = length;
      row.interventions = no_edits;
      row.observations.push_back(
          {.checkpoint = checkpoint, .positions = {length - 1}});
      row.leave_after_observations = true;
      rows.push_back(std::move(row));
    }
    const std::vector<RowResult> results = context.executor.Step(rows);
    for (size_t i = begin; i < end; ++i) {
      const RowResult& result = results[i - begin];
      ALIGNSAE_RETURN_IF_ERROR(result.status);
      if (result.readings.size() != 1 ||
          result.readings[0].probabilities.size() != relations) {
        return absl::FailedPreconditionError(
            absl::StrCat("checkpoint: must have one concept per relation (",
                         relations, ")"));
      }
      const ConceptReading& reading = result.readings[0];
      const int relation = prompts[i].relation;
      const BindingCounts counts =
          Judge(reading, relation, thresholds[relation]);
      (context.set.people[prompts[i].person].asked ? table.asked
                                                   : table.never_asked)
          .Add(counts);
      table.by_relation[relation].Add(counts);
      ++table.confusion[relation][reading.top];
    }
  }
  return table;
}

}  // namespace alignsae
