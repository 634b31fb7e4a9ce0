#include "model/transformer/transformer.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "model/transformer/decode_graphs.h"
#include "model/transformer/decode_plan.h"
#include "model/transformer/prepared_matrix.h"

namespace alignsae {
namespace {

// The indices of the packed rows of `rows`, as they lie in the present packing.
std::vector<int64_t> PackedIndices(absl::Span<const PackedRow> rows) {
  std::vector<int64_t> indices;
  for (const PackedRow& row : rows) {
    for (int i = 0; i < row.length; ++i) indices.push_back(row.offset + i);
  }
  return indices;
}

// Makes `rows`, which lie where their offsets say, the packing.
void Repack(std::vector<PackedRow> rows, at::Tensor& x, Packing& packing) {
  if (!rows.empty()) x = TakeRows(x, PackedIndices(rows));
  packing = Pack(std::move(rows));
}

// Takes the rows that continue others out of `rows`.
std::vector<PackedRow> TakeContinuing(std::vector<PackedRow>& rows) {
  std::vector<PackedRow> continuing;
  std::vector<PackedRow> starting;
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].place = static_cast<int>(i);
    (rows[i].continues >= 0 ? continuing : starting).push_back(rows[i]);
  }
  rows = std::move(starting);
  return continuing;
}

// Puts the rows that part at `site` in the place of their trunks, each with a
// copy of the trunk's residual.
void Join(int site, std::vector<PackedRow>& continuing, at::Tensor& x,
          Packing& packing) {
  std::vector<PackedRow> next;
  for (const PackedRow& row : packing.rows) {
    if (!(row.is_trunk && row.exit_site == site)) next.push_back(row);
  }
  std::vector<PackedRow> later;
  for (PackedRow& row : continuing) {
    if (row.fork.site != site) {
      later.push_back(row);
      continue;
    }
    const auto trunk = std::find_if(
        packing.rows.begin(), packing.rows.end(),
        [&](const PackedRow& other) { return other.place == row.continues; });
    row.offset = trunk->offset + row.start - trunk->start;
    next.push_back(row);
  }
  if (later.size() == continuing.size() && next.size() == packing.rows.size()) {
    return;
  }
  continuing = std::move(later);
  std::sort(
      next.begin(), next.end(),
      [](const PackedRow& a, const PackedRow& b) { return a.place < b.place; });
  Repack(std::move(next), x, packing);
}

// Removes the rows that leave after `site`'s hook.
void LeaveAt(int site, at::Tensor& x, Packing& packing) {
  std::vector<PackedRow> staying;
  for (const PackedRow& row : packing.rows) {
    if (row.exit_site > site || row.logits > 0) staying.push_back(row);
  }
  if (staying.size() == packing.rows.size()) return;
  Repack(std::move(staying), x, packing);
}

int64_t CountLogits(const Packing& packing) {
  int64_t count = 0;
  for (const PackedRow& row : packing.rows) count += row.logits;
  return count;
}

// The positions whose logits are wanted, as rows of their own.
std::vector<PackedRow> WantedPositions(const Packing& packing) {
  std::vector<PackedRow> last;
  for (PackedRow row : packing.rows) {
    if (row.logits == 0) continue;
    row.offset += row.length - row.logits;
    row.start += row.length - row.logits;
    row.length = row.logits;
    last.push_back(row);
  }
  return last;
}

}  // namespace

int64_t Transformer::matrix_bytes() const {
  int64_t bytes = 0;
  for (const Linear* matrix : Matrices()) bytes += matrix->bytes();
  return bytes;
}

void Transformer::LinkMatrices() const {
  const std::vector<const Linear*> all = Matrices();
  for (size_t i = 0; i < all.size(); ++i) {
    const PreparedMatrix* matrix = all[i]->prepared();
    const PreparedMatrix* next = all[(i + 1) % all.size()]->prepared();
    if (matrix != nullptr && next != nullptr) matrix->ComesBefore(*next);
  }
}

at::Tensor Transformer::Forward(absl::Span<const int32_t> tokens,
                                std::vector<PackedRow> rows, KvCache& cache,
                                ResidualHook* hook) const {
  return Head(BeforeHead(tokens, std::move(rows), cache, hook));
}

at::Tensor Transformer::Head(const at::Tensor& x) const {
  // Not InferenceMode: callers edit the logits in place, outside of it.
  at::NoGradGuard no_grad;
  if (x.size(0) == 0) return x.new_empty({0, facts_.vocab_size});
  return Logits(x);
}

at::Tensor Transformer::BeforeHead(absl::Span<const int32_t> tokens,
                                   std::vector<PackedRow> rows, KvCache& cache,
                                   ResidualHook* hook) const {
  at::NoGradGuard no_grad;
  const at::Tensor none = at::empty(
      {0, facts_.d_model}, at::TensorOptions(device()).dtype(at::kFloat));
  if (cache.layout() == KvLayout::kPlain && IsDecode(rows) &&
      (hook == nullptr || !hook->ActsIn(rows))) {
    return Decode(tokens, rows, cache);
  }
  std::vector<PackedRow> continuing = TakeContinuing(rows);
  if (rows.empty()) return none;
  Packing packing = Pack(std::move(rows));
  const at::Tensor ids =
      at::tensor(at::ArrayRef<int32_t>(tokens.data(), tokens.size()), at::kLong)
          .to(device());                                    // [N]
  at::Tensor x = Embed(ids, Positions(packing, device()));  // [N, D]
  for (int site = 0;; ++site) {
    Join(site, continuing, x, packing);
    if (hook != nullptr) hook->OnResidual(site, packing.rows, x);
    LeaveAt(site, x, packing);
    if (packing.rows.empty()) return none;
    if (site == facts_.n_layer) break;
    const bool inside = hook != nullptr && hook->WantsInside(site);
    const bool nothing_behind =
        site == facts_.n_layer - 1 && continuing.empty() && !inside &&
        (hook == nullptr || !hook->WantsSite(facts_.n_layer));
    if (nothing_behind && CountLogits(packing) < packing.tokens) {
      std::vector<PackedRow> last = WantedPositions(packing);
      std::vector<int64_t> kept = PackedIndices(last);
      const bool some = !last.empty();
      Packing after = some ? Pack(std::move(last)) : Packing();
      RunLastBlock(packing, kept, after, cache, x);
      if (!some) return none;
      packing = std::move(after);
      break;
    }
    std::optional<BlockHook> block_hook;
    if (inside) block_hook.emplace(*hook, site, packing.rows);
    RunBlock(site, packing, cache, inside ? &*block_hook : nullptr, x);
  }
  // Only rows with `logits` are left.
  if (CountLogits(packing) < packing.tokens) {
    Repack(WantedPositions(packing), x, packing);
  }
  return x;
}

at::Tensor Transformer::Decode(absl::Span<const int32_t> tokens,
                               absl::Span<const PackedRow> rows,
                               KvCache& cache) const {
  const DecodeShape shape =
      ShapeOf(rows, cache.context_length(), /*rounded=*/device().is_cuda());
  const at::Tensor x = cache.graphs().Run(
      shape, DecodeNumbers(tokens, rows, shape, cache), device(),
      [&](const at::Tensor& numbers) {
        Packing packing;
        packing.tokens = shape.batch;
        packing.decode =
            std::make_shared<const DecodePlan>(numbers, shape, facts_.n_head);
        at::Tensor stream =
            Embed(packing.decode->ids, packing.decode->positions);
        for (int layer = 0; layer < facts_.n_layer; ++layer) {
          RunBlock(layer, packing, cache, nullptr, stream);
        }
        return stream;
      });
  return x.narrow(0, 0, static_cast<int64_t>(rows.size()));
}

}  // namespace alignsae
