#include "model/train/eval/binding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/common/readouts.h"

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
  std::vector<ReadPlace> places;
  for (const EvalPrompt& prompt : prompts) {
    places.push_back(
        {prompt.tokens, {static_cast<int>(prompt.tokens.size()) - 1}});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<ConceptReading> readings,
      ReadEach(context.executor, context.catalog, checkpoint, places));
  for (size_t i = 0; i < prompts.size(); ++i) {
    const ConceptReading& reading = readings[i];
    if (reading.probabilities.size() != relations) {
      return absl::FailedPreconditionError(absl::StrCat(
          "checkpoint: must have one concept per relation (", relations, ")"));
    }
    const int relation = prompts[i].relation;
    const BindingCounts counts = Judge(reading, relation, thresholds[relation]);
    (context.set.people[prompts[i].person].asked ? table.asked
                                                 : table.never_asked)
        .Add(counts);
    table.by_relation[relation].Add(counts);
    ++table.confusion[relation][reading.top];
  }
  return table;
}

}  // namespace alignsae
