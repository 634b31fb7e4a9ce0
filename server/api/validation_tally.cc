#include "server/api/validation_tally.h"

#include <numeric>

#include "model/steering/write_certificate.h"

namespace alignsae {

ValidationTally::ValidationTally(const CheckpointInfo& checkpoint)
    : tells_outside_(checkpoint.has_gate) {
  for (const Concept& entry : checkpoint.concepts) {
    OfConcept& added = concepts_.emplace_back();
    added.name = entry.name;
    added.top.assign(checkpoint.concepts.size(), 0);
  }
}

void ValidationTally::CountReading(int asked, const ConceptReading& reading) {
  ++readings_;
  const bool silent = !reading.bound || reading.outside();
  if (asked < 0) {
    abstention_.Add(silent);
    return;
  }
  const bool right = reading.top == asked;
  read_.Add(right);
  if (right) silent_right_.Add(silent);
  bound_wrong_.Add(!right && !silent);
  ++concepts_[asked].top[reading.top];
  concepts_[asked].told.Add(right && !silent);
}

void ValidationTally::CountSwap(int target, bool success) {
  ++swaps_;
  concepts_[target].swap.Add(success);
}

double ValidationTally::read_rate() const {
  return read_.tries == 0 ? 0
                          : static_cast<double>(read_.successes) /
                                static_cast<double>(read_.tries);
}

void ValidationTally::RenderShare(const Count& count,
                                  v1::MeasuredShare* share) {
  const double tries = static_cast<double>(count.tries);
  const double successes = static_cast<double>(count.successes);
  const Interval interval = WilsonInterval(successes, tries);
  share->set_tries(count.tries);
  share->set_successes(count.successes);
  share->set_rate(successes / tries);
  share->set_low(interval.low);
  share->set_high(interval.high);
}

void ValidationTally::Render(v1::ValidationReport* report) const {
  Count swap;
  for (size_t r = 0; r < concepts_.size(); ++r) {
    const OfConcept& one = concepts_[r];
    v1::ConceptValidation* row = report->add_concepts();
    row->set_name(one.name);
    row->mutable_top_counts()->Assign(one.top.begin(), one.top.end());
    const Count read = {
        std::accumulate(one.top.begin(), one.top.end(), int64_t{0}),
        one.top[r]};
    if (read.tries > 0) {
      RenderShare(read, row->mutable_read());
      RenderShare(one.told, row->mutable_told());
    }
    if (one.swap.tries > 0) RenderShare(one.swap, row->mutable_swap());
    swap.tries += one.swap.tries;
    swap.successes += one.swap.successes;
  }
  if (read_.tries > 0) {
    RenderShare(read_, report->mutable_read());
    RenderShare(bound_wrong_, report->mutable_bound_wrong());
  }
  if (silent_right_.tries > 0) {
    RenderShare(silent_right_, report->mutable_silent_right());
  }
  if (abstention_.tries > 0) {
    RenderShare(abstention_, report->mutable_abstention());
  }
  if (swap.tries > 0) RenderShare(swap, report->mutable_swap());
  report->set_tells_outside(tells_outside_);
}

}  // namespace alignsae
