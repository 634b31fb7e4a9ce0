// StepHook: what one engine step does at the hook points: first the readings,
// then the interventions in each request's order.
//
// Thread-safety: made for one Step call and used on its thread.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_HOOK_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_HOOK_H_

#include <ATen/ATen.h>

#include <set>
#include <tuple>
#include <vector>

#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/sae/sae.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {

class StepHook : public ResidualHook {
 public:
  // PackedRow::index is the index into `rows` and `results`. All arguments must
  // outlive the hook. Sizes the readings and receipts of every result.
  StepHook(absl::Span<const Sae> saes, absl::Span<const StepRow> rows,
           std::vector<RowResult>& results);

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override;
  bool WantsSite(int site) const override;
  bool ActsIn(absl::Span<const PackedRow> rows) const override;
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& part) override;
  bool WantsInside(int layer) const override;

 private:
  // One position to read: packed row `row` goes to `reading`.
  struct Target {
    int64_t row = 0;
    ConceptReading* reading = nullptr;
  };

  // Reads, then edits, what is at `place` (HookPoint::place).
  void At(int place, absl::Span<const PackedRow> rows, at::Tensor& residual);
  void Observe(int checkpoint, absl::Span<const PackedRow> rows,
               const at::Tensor& residual);
  static at::Tensor Gather(const at::Tensor& residual,
                           absl::Span<const Target> targets);
  void ReadConcepts(const Sae& sae, const at::Tensor& h,
                    absl::Span<const Target> targets);
  static void KeepResiduals(const at::Tensor& h,
                            absl::Span<const Target> targets);
  // Reads the conditions of the interventions that belong to `place`: before
  // the first of them edits.
  void ReadConditions(int place, absl::Span<const PackedRow> rows,
                      const at::Tensor& residual);
  // Applies the interventions that stand at `order` of every row's list and
  // belong to `place`. Returns whether some row has one behind it.
  bool Intervene(int place, size_t order, absl::Span<const PackedRow> rows,
                 at::Tensor& residual);

  // Where `intervention` edits, as HookPoint::place.
  int PlaceOf(const Intervention& intervention) const;

  std::vector<HookPoint> wanted_;  // Where somebody reads or edits.
  absl::Span<const Sae> saes_;
  absl::Span<const StepRow> rows_;
  std::vector<RowResult>& results_;
  bool has_conditions_ = false;
  // Row, place in its list and position of edits whose condition does not hold.
  std::set<std::tuple<int, size_t, int>> unmet_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_HOOK_H_
