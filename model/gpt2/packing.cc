#include "model/gpt2/packing.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "absl/types/span.h"
#include "model/gpt2/layers.h"

namespace alignsae {
namespace {

at::Tensor ToTensor(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

// Consecutive tokens of one row that attend as a unit.
struct Piece {
  int slot = 0;
  int start = 0;       // Position of the first token.
  int length = 0;      // [1, kMaxQueries]
  int64_t offset = 0;  // First packed row.

  int prefix() const { return start + length; }  // Keys that it attends to.
};

std::vector<Piece> CutIntoPieces(absl::Span<const PackedRow> rows) {
  std::vector<Piece> pieces;
  for (const PackedRow& row : rows) {
    for (int done = 0; done < row.length; done += kMaxQueries) {
      pieces.push_back({.slot = row.kv_slot,
                        .start = row.start + done,
                        .length = std::min(kMaxQueries, row.length - done),
                        .offset = row.offset + done});
    }
  }
  return pieces;
}

// Whether a rectangle around [first, piece] stays within twice the work of the
// pieces themselves, and within the memory for scores. `first` .. `piece` are
// sorted by length.
class GroupShape {
 public:
  explicit GroupShape(int heads) : heads_(heads) {}

  bool Admits(const Piece& piece) const {
    if (count_ == 0) return true;
    const int64_t shortest = std::min(min_prefix_, piece.prefix());
    const int64_t longest = std::max(max_prefix_, piece.prefix());
    return piece.length <= 2 * min_length_ && longest <= 2 * shortest + 64 &&
           (count_ + 1) * heads_ * piece.length * longest <= kMaxGroupScores;
  }

  void Add(const Piece& piece) {
    if (count_++ == 0) {
      min_length_ = piece.length;
      min_prefix_ = max_prefix_ = piece.prefix();
    }
    min_prefix_ = std::min(min_prefix_, piece.prefix());
    max_prefix_ = std::max(max_prefix_, piece.prefix());
  }

 private:
  int64_t heads_;
  int64_t count_ = 0;
  int min_length_ = 0;
  int min_prefix_ = 0;
  int max_prefix_ = 0;
};

// Query i of a piece at `start` sees keys 0 .. start + i. Padding queries see
// what the last real one sees, so that no softmax is over nothing.
at::Tensor CausalMask(absl::Span<const Piece> pieces, int64_t queries,
                      int64_t keys, at::Device device) {
  std::vector<int64_t> visible;
  for (const Piece& piece : pieces) {
    for (int64_t i = 0; i < queries; ++i) {
      visible.push_back(std::min<int64_t>(piece.start + i + 1, piece.prefix()));
    }
  }
  if (std::all_of(visible.begin(), visible.end(),
                  [&](int64_t count) { return count == keys; })) {
    return at::Tensor();
  }
  const int64_t count = static_cast<int64_t>(pieces.size());
  const at::Tensor limit =
      ToTensor(visible, device).view({count, 1, queries, 1});
  const auto options = at::TensorOptions(at::kLong).device(device);
  const at::Tensor hidden = at::arange(keys, options) >= limit;
  return at::zeros(hidden.sizes(), options.dtype(at::kFloat))
      .masked_fill_(hidden, -std::numeric_limits<float>::infinity());
}

AttentionGroup MakeGroup(std::vector<Piece> pieces, at::Device device) {
  // In slot order, so that neighbouring slots become one view of the cache; a
  // row's pieces stay in order.
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::tie(a.slot, a.start) < std::tie(b.slot, b.start);
  });
  AttentionGroup group;
  group.pieces = static_cast<int64_t>(pieces.size());
  std::vector<int64_t> slots, padded, real, packed;
  for (const Piece& piece : pieces) {
    group.queries = std::max<int64_t>(group.queries, piece.length);
    group.keys = std::max<int64_t>(group.keys, piece.prefix());
  }
  for (const Piece& piece : pieces) {
    slots.push_back(piece.slot);
    for (int64_t i = 0; i < group.queries; ++i) {
      const int64_t row = piece.offset + std::min<int64_t>(i, piece.length - 1);
      if (i < piece.length) {
        real.push_back(static_cast<int64_t>(padded.size()));
        packed.push_back(row);
      }
      padded.push_back(row);
    }
  }
  group.slots = IndexSet(slots, device);
  group.padded = IndexSet(padded, device);
  group.real = IndexSet(real, device);
  group.packed = IndexSet(packed, device);
  group.mask = CausalMask(pieces, group.queries, group.keys, device);
  return group;
}

std::vector<AttentionGroup> MakeGroups(absl::Span<const PackedRow> rows,
                                       int heads, at::Device device) {
  std::vector<Piece> pieces = CutIntoPieces(rows);
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
    return std::make_tuple(a.length, a.prefix(), a.slot) <
           std::make_tuple(b.length, b.prefix(), b.slot);
  });
  std::vector<AttentionGroup> groups;
  std::vector<Piece> members;
  GroupShape shape(heads);
  for (const Piece& piece : pieces) {
    if (!shape.Admits(piece)) {
      groups.push_back(MakeGroup(std::exchange(members, {}), device));
      shape = GroupShape(heads);
    }
    shape.Add(piece);
    members.push_back(piece);
  }
  groups.push_back(MakeGroup(std::move(members), device));
  return groups;
}

}  // namespace

IndexSet::IndexSet(const std::vector<int64_t>& indices, at::Device device)
    : first_(indices.front()),
      size_(static_cast<int64_t>(indices.size())),
      consecutive_(true),
      indices_(ToTensor(indices, device)) {
  for (int64_t i = 0; i < size_; ++i) {
    if (indices[i] != first_ + i) consecutive_ = false;
  }
}

at::Tensor IndexSet::Take(const at::Tensor& tensor) const {
  return consecutive_ ? tensor.narrow(0, first_, size_)
                      : tensor.index_select(0, indices_);
}

Packing Pack(std::vector<PackedRow> rows, const Gpt2Config& config,
             at::Device device) {
  Packing packing;
  std::vector<int64_t> slots, positions;
  for (PackedRow& row : rows) {
    row.offset = static_cast<int>(slots.size());
    for (int i = 0; i < row.length; ++i) {
      slots.push_back(row.kv_slot);
      positions.push_back(row.start + i);
    }
  }
  packing.tokens = static_cast<int64_t>(slots.size());
  packing.slots = ToTensor(slots, device);
  packing.positions = ToTensor(positions, device);
  packing.groups = MakeGroups(rows, config.n_head, device);
  packing.rows = std::move(rows);
  return packing;
}

at::Tensor PackedAttention(const at::Tensor& q, const Packing& packing,
                           const KvCache& cache, const Gpt2Config& config,
                           int layer) {
  const double scale = AttentionScale(config, layer);
  at::Tensor output;  // [N, D], made when more than one group writes to it.
  for (const AttentionGroup& group : packing.groups) {
    const at::Tensor queries = group.padded.Take(q)
                                   .reshape({group.pieces, group.queries,
                                             config.n_head, config.head_dim()})
                                   .transpose(1, 2);  // [B, H, Tq, K]
    const at::Tensor keys = group.slots.Take(
        cache.keys(layer).transpose(1, 2).narrow(2, 0, group.keys));
    const at::Tensor values = group.slots.Take(
        cache.values(layer).transpose(1, 2).narrow(2, 0, group.keys));
    const at::Tensor context = group.real.Take(
        Attention(queries, keys, values, group.mask, scale)
            .transpose(1, 2)
            .reshape({group.padded.size(), config.d_model}));  // [n, D]
    if (group.packed.IsWhole(packing.tokens)) return context;
    if (!output.defined()) output = at::empty_like(q);
    output.index_copy_(0, group.packed.indices(), context);
  }
  return output;
}

}  // namespace alignsae
