#include "model/intervention/apply.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

#include "model/intervention/rules.h"

namespace alignsae {
namespace {

// --- Batches ----------------------------------------------------------------

// Leaves every bit of the residual as it is.
bool ChangesNothing(const Intervention& intervention) {
  switch (intervention.mode) {
    case InterventionMode::kAdd:
    case InterventionMode::kAddNormMatched:
      return intervention.alpha == 0;
    case InterventionMode::kMultiply:
      return intervention.alpha == 1;
    default:
      return false;
  }
}

// Edits that run as one batch of n rows share this.
struct GroupKey {
  const Sae* sae = nullptr;  // Null: each row has a vector of its own.
  InterventionMode mode = InterventionMode::kAdd;
  // Slots are indices of features, which needs the whole SAE; otherwise they
  // are indices of concepts, and a few small tensors do.
  bool by_feature = false;
  bool changes_nothing = false;

  friend bool operator<(const GroupKey& a, const GroupKey& b) {
    return std::tie(a.sae, a.mode, a.by_feature, a.changes_nothing) <
           std::tie(b.sae, b.mode, b.by_feature, b.changes_nothing);
  }
};

using Group = std::vector<const ResidualEdit*>;

GroupKey KeyOf(const ResidualEdit& edit) {
  const Intervention& intervention = *edit.intervention;
  GroupKey key;
  key.sae = edit.sae;
  key.mode = intervention.mode;
  key.changes_nothing = ChangesNothing(intervention);
  if (edit.sae == nullptr) return key;
  const auto is_concept = [&](int slot) {
    return edit.sae->ConceptOfSlot(slot) >= 0;
  };
  key.by_feature = intervention.mode == InterventionMode::kReplace ||
                   !is_concept(intervention.target_slot) ||
                   (intervention.source_slot.has_value() &&
                    !is_concept(*intervention.source_slot));
  return key;
}

// Host part of an edit's formula; what it multiplies is in Coefficients().
double Factor(const Sae* sae, const Intervention& intervention) {
  const double s = sae == nullptr ? 1 : sae->config().scale;
  const double alpha = intervention.alpha;
  switch (intervention.mode) {
    case InterventionMode::kAdd:
      return s * alpha;
    case InterventionMode::kAddNormMatched:
      return alpha;
    case InterventionMode::kMultiply:
      return s * (alpha - 1);
    case InterventionMode::kAblate:
      return -s;
    case InterventionMode::kSet:
    case InterventionMode::kSwap:
    case InterventionMode::kReplace:
      return UsesActiveMean(intervention)
                 ? alpha * ActiveMean(*sae, intervention.target_slot)
                 : alpha;
    case InterventionMode::kProjectOut:
      return -1;
  }
  return 0;
}

// A group's edits as tensors on the residual's device.
struct Batch {
  at::Tensor rows;     // [n] int64, of the packed residual
  at::Tensor slots;    // [n, k] int64: target, and source for two-slot modes
  at::Tensor factors;  // [n] float32
  at::Tensor h;        // [n, D] float32, before the edit
  at::Tensor vectors;  // [n, D] float32; undefined: slots
};

// Index of `slot` in the tensors that a group uses.
int64_t IndexOf(const GroupKey& key, int slot) {
  if (key.sae == nullptr) return 0;
  return key.by_feature ? slot : key.sae->ConceptOfSlot(slot);
}

// The source of each row: the given one, or the concept with the largest pre.
at::Tensor Sources(const GroupKey& key, const at::Tensor& given /* [n] */,
                   bool all_given, const at::Tensor& h) {
  if (all_given) return given;
  at::Tensor top = key.sae->ConceptPre(h).argmax(1);  // [n]
  if (key.by_feature) top = key.sae->concept_slots().index_select(0, top);
  return at::where(given.lt(0), top, given);
}

// The rows' own vectors -> [n, D].
at::Tensor Vectors(const Group& group, const at::Tensor& residual) {
  std::vector<at::Tensor> rows;
  for (const ResidualEdit* edit : group) {
    const std::vector<float>& values = edit->intervention->vector->values;
    rows.push_back(at::tensor(values));
  }
  return at::stack(rows).to(residual.device());
}

Batch MakeBatch(const GroupKey& key, const Group& group,
                const at::Tensor& residual) {
  const auto n = static_cast<int64_t>(group.size());
  // One transfer: rows, targets, sources (-1: the top concept), factors. Exact,
  // since indices are far below 2^53.
  at::Tensor packed = at::empty({4, n}, at::kDouble);
  double* out = packed.data_ptr<double>();
  bool all_given = true;
  for (int64_t i = 0; i < n; ++i) {
    const ResidualEdit& edit = *group[i];
    const Intervention& intervention = *edit.intervention;
    const std::optional<int>& source = intervention.source_slot;
    all_given = all_given && source.has_value();
    out[i] = static_cast<double>(edit.row);
    out[n + i] = static_cast<double>(IndexOf(key, intervention.target_slot));
    out[2 * n + i] =
        source.has_value() ? static_cast<double>(IndexOf(key, *source)) : -1;
    out[3 * n + i] = Factor(key.sae, intervention);
  }
  packed = packed.to(residual.device());
  const at::Tensor indices = packed.slice(0, 0, 3).to(at::kLong);
  Batch batch;
  batch.rows = indices[0];
  batch.factors = packed[3].to(at::kFloat);
  batch.h = residual.index_select(0, batch.rows).to(at::kFloat);
  batch.slots = indices[1].unsqueeze(1);
  if (key.sae == nullptr) batch.vectors = Vectors(group, residual);
  if (IsTwoSlotMode(key.mode)) {
    batch.slots = at::stack(
        {indices[1], Sources(key, indices[2], all_given, batch.h)}, 1);
  }
  return batch;
}

// z of each row's own slots: [n, D], [n, k] -> [n, k].
at::Tensor SlotValues(const GroupKey& key, const at::Tensor& h,
                      const at::Tensor& slots) {
  const Sae& sae = *key.sae;
  if (key.by_feature) return sae.SlotValues(h, slots);
  return sae.ConceptActivate(sae.ConceptPre(h)).gather(1, slots);
}

// d of each row's own slots, or its vector -> [n, k, D].
at::Tensor Directions(const GroupKey& key, const Batch& batch) {
  if (key.sae == nullptr) return batch.vectors.unsqueeze(1);
  const at::Tensor& slots = batch.slots;
  const at::Tensor& table =
      key.by_feature ? key.sae->weights().w_dec : key.sae->concept_decoder();
  return table.index_select(0, slots.flatten())
      .view({slots.size(0), slots.size(1), table.size(1)});
}

at::Tensor NormOfRows(const at::Tensor& values, int64_t dim) {
  return at::linalg_vector_norm(values, 2, {dim}, /*keepdim=*/true,
                                at::kDouble);
}

// The component of h along each row's direction of norm 1: [n, D], [n, 1, D] ->
// [n, 1], in double precision.
at::Tensor Components(const at::Tensor& h, const at::Tensor& directions) {
  const at::Tensor d = directions.select(1, 0).to(at::kDouble);  // [n, D]
  return h.to(at::kDouble)
      .mul(d)
      .sum({1}, /*keepdim=*/true)
      .div(NormOfRows(d, 1));
}

// How much of each direction is added -> [n, k]. `directions` [n, k, D] have
// norm 1 where the mode asks for that.
at::Tensor Coefficients(const GroupKey& key, const Batch& batch,
                        const at::Tensor& directions) {
  const at::Tensor factors = batch.factors.unsqueeze(1);  // [n, 1]
  switch (key.mode) {
    case InterventionMode::kAdd:
      return factors;
    case InterventionMode::kAddNormMatched:  // Of a direction of norm 1.
      return factors.mul(NormOfRows(batch.h, 1).to(at::kFloat));
    case InterventionMode::kMultiply:
    case InterventionMode::kAblate:
      return factors.mul(SlotValues(key, batch.h, batch.slots));
    case InterventionMode::kProjectOut:
      return factors.mul(Components(batch.h, directions).to(at::kFloat));
    default:
      break;
  }
  // SET and SWAP: s (wanted - z_j), and -s z_i where i is another slot.
  const double s = key.sae->config().scale;
  const at::Tensor z = SlotValues(key, batch.h, batch.slots);  // [n, k]
  const at::Tensor target = factors.sub(z.slice(1, 0, 1)).mul(s);
  if (key.mode == InterventionMode::kSet) return target;
  const at::Tensor cleared =
      batch.slots.slice(1, 1, 2).ne(batch.slots.slice(1, 0, 1));  // [n, 1]
  return at::cat({target, z.slice(1, 1, 2).mul(-s).mul(cleared)}, 1);
}

// The edited rows -> [n, D].
at::Tensor Edited(const GroupKey& key, const Batch& batch) {
  if (key.changes_nothing) return batch.h;
  if (key.mode == InterventionMode::kReplace) {
    at::Tensor z = key.sae->Encode(batch.h);  // [n, F]
    // In this order, so that a source that is the target stays set.
    z = z.scatter(1, batch.slots.slice(1, 1, 2), 0.0);
    z = z.scatter(1, batch.slots.slice(1, 0, 1), batch.factors.unsqueeze(1));
    return key.sae->Decode(z);
  }
  at::Tensor directions = Directions(key, batch);  // [n, k, D]
  if (key.mode == InterventionMode::kAddNormMatched ||
      key.mode == InterventionMode::kProjectOut) {
    directions = directions.div(NormOfRows(directions, 2)).to(at::kFloat);
  }
  return batch.h.add(
      Coefficients(key, batch, directions).unsqueeze(2).mul(directions).sum(1));
}

// --- Receipts ---------------------------------------------------------------

// A place in a receipt that is to be filled.
struct Wanted {
  int64_t edit = 0;  // Index into the group.
  InterventionReceipt* receipt = nullptr;
  size_t effect = 0;
};

std::vector<Wanted> CountPositions(const Group& group) {
  std::vector<Wanted> wanted;
  for (size_t i = 0; i < group.size(); ++i) {
    InterventionReceipt* receipt = group[i]->receipt;
    if (receipt == nullptr) continue;
    ++receipt->positions_applied;
    if (receipt->effects.size() >= kMaxReceiptPositions &&
        !group[i]->intervention->measure) {
      continue;
    }
    wanted.push_back(
        {static_cast<int64_t>(i), receipt, receipt->effects.size()});
    receipt->effects.push_back({.position = group[i]->position});
  }
  return wanted;
}

// What a receipt tells of `h`, the residuals of the rows `chosen`: the values
// of their slots, or the component along their vector -> [n, k] double.
at::Tensor Told(const GroupKey& key, const Batch& batch,
                const at::Tensor& chosen, const at::Tensor& h) {
  if (key.sae == nullptr) {
    return Components(h, batch.vectors.index_select(0, chosen).unsqueeze(1));
  }
  return SlotValues(key, h, batch.slots.index_select(0, chosen))
      .to(at::kDouble);
}

std::vector<float> RowOf(const at::Tensor& values /* [n, R] */, int64_t row) {
  const float* data = values.data_ptr<float>() + row * values.size(1);
  return {data, data + values.size(1)};
}

// The values of all concepts, where edits measure. `before` and `after` are [n,
// D].
void FillSlots(const GroupKey& key, const Group& group,
               absl::Span<const Wanted> wanted, const at::Tensor& before,
               const at::Tensor& after) {
  const auto measures = [&](const Wanted& place) {
    return group[place.edit]->intervention->measure;
  };
  if (key.sae == nullptr || key.sae->concept_count() == 0 ||
      std::none_of(wanted.begin(), wanted.end(), measures)) {
    return;
  }
  const auto values = [&key](const at::Tensor& h) {
    return key.sae->ConceptActivate(key.sae->ConceptPre(h))
        .to(at::kCPU, at::kFloat)
        .contiguous();
  };
  const at::Tensor z = values(before);       // [n, R]
  const at::Tensor z_after = values(after);  // [n, R]
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!measures(wanted[i])) continue;
    PositionEffect& effect = wanted[i].receipt->effects[wanted[i].effect];
    effect.slots_before = RowOf(z, static_cast<int64_t>(i));
    effect.slots_after = RowOf(z_after, static_cast<int64_t>(i));
  }
}

void FillReceipts(const GroupKey& key, const Group& group, const Batch& batch,
                  const at::Tensor& edited, absl::Span<const Wanted> wanted) {
  const auto n = static_cast<int64_t>(wanted.size());
  at::Tensor chosen = at::empty({n}, at::kLong);
  for (int64_t i = 0; i < n; ++i) {
    chosen.data_ptr<int64_t>()[i] = wanted[i].edit;
  }
  chosen = chosen.to(edited.device());
  const at::Tensor before = batch.h.index_select(0, chosen);     // [n, D]
  const at::Tensor after = edited.index_select(0, chosen);       // [n, D]
  const at::Tensor slots = batch.slots.index_select(0, chosen);  // [n, k]
  FillSlots(key, group, wanted, before, after);
  // One transfer back.
  const at::Tensor numbers =  // [n, 2 + 3 k]
      at::cat({NormOfRows(before, 1), NormOfRows(after.sub(before), 1),
               slots.to(at::kDouble), Told(key, batch, chosen, before),
               Told(key, batch, chosen, after)},
              1)
          .to(at::kCPU)
          .contiguous();
  const int64_t k = slots.size(1);
  for (int64_t i = 0; i < n; ++i) {
    const double* row = numbers.data_ptr<double>() + i * numbers.size(1);
    PositionEffect& effect = wanted[i].receipt->effects[wanted[i].effect];
    effect.residual_norm = row[0];
    effect.change_norm = row[1];
    effect.target_before = row[2 + k];
    effect.target_after = row[2 + 2 * k];
    if (k == 1 || row[2] == row[3]) continue;  // Nothing was cleared.
    const int source = static_cast<int>(row[3]);
    effect.source_slot =
        key.by_feature ? source : key.sae->config().concepts[source].slot;
    effect.source_before = row[3 + k];
    effect.source_after = row[3 + 2 * k];
  }
}

void ApplyGroup(const GroupKey& key, const Group& group, at::Tensor& residual) {
  const std::vector<Wanted> wanted = CountPositions(group);
  if (key.changes_nothing && wanted.empty()) return;
  const Batch batch = MakeBatch(key, group, residual);
  // What the residual will hold, if it is of a narrower type.
  const at::Tensor edited = Edited(key, batch).to(residual.scalar_type());
  if (!key.changes_nothing) residual.index_copy_(0, batch.rows, edited);
  if (!wanted.empty()) {
    FillReceipts(key, group, batch, edited.to(at::kFloat), wanted);
  }
}

}  // namespace

void ApplyEdits(absl::Span<const ResidualEdit> edits, at::Tensor& residual) {
  std::map<GroupKey, Group> groups;
  for (const ResidualEdit& edit : edits) groups[KeyOf(edit)].push_back(&edit);
  for (const auto& [key, group] : groups) ApplyGroup(key, group, residual);
}

}  // namespace alignsae
