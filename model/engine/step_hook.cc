#include "model/engine/step_hook.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "model/intervention/apply.h"
#include "model/tensor/device.h"

namespace alignsae {
namespace {

at::Tensor RowIndices(const std::vector<int64_t>& rows, at::Device device) {
  return at::tensor(rows, at::kLong).to(device);
}

void FillConcepts(const Sae& sae, const float* pre, const float* value,
                  const float* probability, ConceptReading* reading) {
  const int count = sae.concept_count();
  if (count == 0) return;  // A plain SAE.
  reading->values.assign(value, value + count);
  reading->probabilities.assign(probability, probability + count);
  reading->top = static_cast<int>(std::max_element(pre, pre + count) - pre);
  float runner_up = 0;
  for (int r = 0; r < count; ++r) {
    if (r != reading->top) runner_up = std::max(runner_up, probability[r]);
  }
  // A silent slot is not bound, whatever an uncalibrated threshold of 0 says.
  const float top = value[reading->top];
  reading->bound =
      top > 0 && top >= sae.config().concepts[reading->top].threshold;
  reading->margin = probability[reading->top] - runner_up;
}

}  // namespace

StepHook::StepHook(absl::Span<const Sae> saes, absl::Span<const StepRow> rows,
                   std::vector<RowResult>& results)
    : saes_(saes), rows_(rows), results_(results) {
  for (const Sae& sae : saes) wanted_.push_back(sae.config().hook);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!results[i].status.ok()) continue;  // Refused: takes no part.
    for (const Intervention& intervention : *rows[i].interventions) {
      has_conditions_ |= intervention.when.has_value();
      if (intervention.vector == nullptr) continue;
      wanted_.push_back(intervention.vector->hook);
    }
    results[i].receipts.resize(rows[i].interventions->size());
    for (const Observation& observation : rows[i].observations) {
      for (int position : observation.positions) {
        ConceptReading& reading = results[i].readings.emplace_back();
        reading.checkpoint = observation.checkpoint;
        reading.position = position;
      }
    }
  }
}

void StepHook::OnResidual(int site, absl::Span<const PackedRow> rows,
                          at::Tensor& residual) {
  At(HookPoint{HookKind::kResidPre, site}.place(), rows, residual);
}

bool StepHook::WantsSite(int site) const {
  const int place = HookPoint{HookKind::kResidPre, site}.place();
  return std::any_of(
      wanted_.begin(), wanted_.end(),
      [place](const HookPoint& hook) { return hook.place() == place; });
}

bool StepHook::ActsIn(absl::Span<const PackedRow> rows) const {
  return std::any_of(rows.begin(), rows.end(), [this](const PackedRow& packed) {
    const StepRow& row = rows_[packed.index];
    const auto edits = [&](const Intervention& intervention) {
      for (int i = 0; i < packed.length; ++i) {
        if (intervention.AppliesAt(packed.start + i, row.prompt_length)) {
          return true;
        }
      }
      return false;
    };
    return !row.observations.empty() ||
           std::any_of(row.interventions->begin(), row.interventions->end(),
                       edits);
  });
}

void StepHook::OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                        at::Tensor& part) {
  At(hook.place(), rows, part);
}

bool StepHook::WantsInside(int layer) const {
  return std::any_of(wanted_.begin(), wanted_.end(),
                     [layer](const HookPoint& hook) {
                       return hook.inside_block() && hook.layer == layer;
                     });
}

void StepHook::At(int place, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) {
  for (size_t c = 0; c < saes_.size(); ++c) {
    if (saes_[c].config().hook.place() == place) {
      Observe(static_cast<int>(c), rows, residual);
    }
  }
  if (has_conditions_) ReadConditions(place, rows, residual);
  size_t order = 0;
  while (Intervene(place, order, rows, residual)) ++order;
}

void StepHook::Observe(int checkpoint, absl::Span<const PackedRow> rows,
                       const at::Tensor& residual) {
  std::vector<Target> all;
  std::vector<Target> whole;
  for (const PackedRow& packed : rows) {
    size_t reading = 0;
    for (const Observation& observation : rows_[packed.index].observations) {
      const size_t first = reading;
      reading += observation.positions.size();
      if (observation.checkpoint != checkpoint) continue;
      for (size_t i = 0; i < observation.positions.size(); ++i) {
        const int place = observation.positions[i] - packed.start;
        // Of a fork, this packed row may hold a part only.
        if (place < 0 || place >= packed.length) continue;
        const Target target = {packed.offset + place,
                               &results_[packed.index].readings[first + i]};
        all.push_back(target);
        if (observation.whole) whole.push_back(target);
      }
    }
  }
  if (!all.empty()) {
    ReadConcepts(saes_[checkpoint], Gather(residual, all), all);
  }
  if (!whole.empty()) KeepResiduals(Gather(residual, whole), whole);
}

at::Tensor StepHook::Gather(const at::Tensor& residual,
                            absl::Span<const Target> targets) {
  std::vector<int64_t> indices;
  for (const Target& target : targets) indices.push_back(target.row);
  return residual.index_select(0, RowIndices(indices, residual.device()));
}

void StepHook::ReadConditions(int place, absl::Span<const PackedRow> rows,
                              const at::Tensor& residual) {
  struct Asked {
    const ReadingCondition* when;
    std::tuple<int, size_t, int> edit;
    int64_t row;
  };
  std::map<int, std::vector<Asked>> asked;  // By checkpoint.
  for (const PackedRow& packed : rows) {
    const StepRow& row = rows_[packed.index];
    for (size_t order = 0; order < row.interventions->size(); ++order) {
      const Intervention& intervention = (*row.interventions)[order];
      if (!intervention.when.has_value() || PlaceOf(intervention) != place) {
        continue;
      }
      for (int i = 0; i < packed.length; ++i) {
        const int position = packed.start + i;
        if (!intervention.AppliesAt(position, row.prompt_length)) continue;
        ++results_[packed.index].receipts[order].positions_checked;
        asked[intervention.when->checkpoint].push_back(
            {&*intervention.when,
             {packed.index, order, position},
             packed.offset + i});
      }
    }
  }
  for (const auto& [checkpoint, edits] : asked) {
    std::vector<ConceptReading> readings(edits.size());
    std::vector<Target> targets;
    for (size_t i = 0; i < edits.size(); ++i) {
      targets.push_back({edits[i].row, &readings[i]});
    }
    ReadConcepts(saes_[checkpoint], Gather(residual, targets), targets);
    for (size_t i = 0; i < edits.size(); ++i) {
      if (!readings[i].Meets(*edits[i].when)) unmet_.insert(edits[i].edit);
    }
  }
}

void StepHook::ReadConcepts(const Sae& sae, const at::Tensor& h,
                            absl::Span<const Target> targets) {
  const at::Tensor pre_device = sae.ConceptPre(h);  // [n, R]
  const at::Tensor pre = ToCpu(pre_device);
  const at::Tensor values = ToCpu(sae.ConceptActivate(pre_device));
  const at::Tensor probabilities = pre.softmax(1);
  const at::Tensor norms = ToCpu(h.norm(2, {1}));
  const at::Tensor outside =  // [n], undefined without a gate.
      sae.gate() ? ToCpu(sae.gate()->Ratio(h)) : at::Tensor();
  const int64_t count = sae.concept_count();
  for (size_t i = 0; i < targets.size(); ++i) {
    const int64_t at = static_cast<int64_t>(i) * count;
    targets[i].reading->residual_norm = norms.data_ptr<float>()[i];
    if (outside.defined()) {
      targets[i].reading->outside_ratio = outside.data_ptr<float>()[i];
    }
    if (count == 0) continue;
    FillConcepts(sae, pre.data_ptr<float>() + at, values.data_ptr<float>() + at,
                 probabilities.data_ptr<float>() + at, targets[i].reading);
  }
}

// Encoding is not a step's work: see StepExecutor::ReadFeatures.
void StepHook::KeepResiduals(const at::Tensor& h,
                             absl::Span<const Target> targets) {
  const at::Tensor rows = ToCpu(h);  // [n, D]
  const int64_t width = rows.size(1);
  for (size_t i = 0; i < targets.size(); ++i) {
    const float* row = rows.data_ptr<float>() + static_cast<int64_t>(i) * width;
    targets[i].reading->residual.assign(row, row + width);
  }
}

int StepHook::PlaceOf(const Intervention& intervention) const {
  return intervention.vector != nullptr
             ? intervention.vector->hook.place()
             : saes_[intervention.checkpoint].config().hook.place();
}

bool StepHook::Intervene(int place, size_t order,
                         absl::Span<const PackedRow> rows,
                         at::Tensor& residual) {
  std::vector<ResidualEdit> edits;
  bool more = false;
  for (const PackedRow& packed : rows) {
    const StepRow& row = rows_[packed.index];
    const std::vector<Intervention>& interventions = *row.interventions;
    more |= order + 1 < interventions.size();
    if (order >= interventions.size()) continue;
    const Intervention& intervention = interventions[order];
    if (PlaceOf(intervention) != place) continue;
    const Sae* sae = intervention.vector == nullptr
                         ? &saes_[intervention.checkpoint]
                         : nullptr;
    for (int i = 0; i < packed.length; ++i) {
      const int position = packed.start + i;
      if (!intervention.AppliesAt(position, row.prompt_length)) continue;
      if (intervention.when.has_value() &&
          unmet_.count({packed.index, order, position}) > 0) {
        continue;
      }
      edits.push_back({packed.offset + i, position, sae, &intervention,
                       &results_[packed.index].receipts[order]});
    }
  }
  if (!edits.empty()) ApplyEdits(edits, residual);
  return more;
}

}  // namespace alignsae
