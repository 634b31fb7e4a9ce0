// Attention by LibTorch's operations, for devices without kernels of ours.
// Rows are cut into pieces of at most kQueries tokens, and pieces of similar
// shape form a group that is padded to one [B, Tq] x [B, Tk] rectangle.

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/transformer/attention.h"
#include "model/transformer/decode_plan.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

constexpr int kQueries = 256;
// Scores [B, H, Tq, Tk] of one group: 64 MiB of float32.
constexpr int64_t kMaxGroupScores = int64_t{1} << 24;

// Consecutive tokens of one row that attend as a unit.
struct QueryBlock {
  const PackedRow* row = nullptr;
  int start = 0;       // Position of the first token.
  int length = 0;      // [1, kQueries]
  int64_t offset = 0;  // First packed row.

  int prefix() const { return start + length; }  // Keys that it attends to.
};

std::vector<QueryBlock> CutIntoQueryBlocks(absl::Span<const PackedRow> rows) {
  std::vector<QueryBlock> pieces;
  for (const PackedRow& row : rows) {
    for (int done = 0; done < row.length; done += kQueries) {
      pieces.push_back({.row = &row,
                        .start = row.start + done,
                        .length = std::min(kQueries, row.length - done),
                        .offset = row.offset + done});
    }
  }
  return pieces;
}

// Whether a rectangle around [first, piece] stays within twice the work of the
// pieces themselves, and within the memory for scores. `first` .. `piece` are
// sorted by length.
bool Admits(absl::Span<const QueryBlock> group, const QueryBlock& piece,
            int heads) {
  if (group.empty()) return true;
  int shortest = piece.prefix();
  int longest = piece.prefix();
  for (const QueryBlock& member : group) {
    shortest = std::min(shortest, member.prefix());
    longest = std::max(longest, member.prefix());
  }
  const int64_t count = static_cast<int64_t>(group.size()) + 1;
  return piece.length <= 2 * group.front().length &&
         longest <= 2 * shortest + 64 &&
         count * heads * piece.length * longest <= kMaxGroupScores;
}

std::vector<std::vector<QueryBlock>> MakeGroups(
    absl::Span<const PackedRow> rows, int heads) {
  std::vector<QueryBlock> pieces = CutIntoQueryBlocks(rows);
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const QueryBlock& a, const QueryBlock& b) {
                     return std::make_pair(a.length, a.prefix()) <
                            std::make_pair(b.length, b.prefix());
                   });
  std::vector<std::vector<QueryBlock>> groups;
  for (const QueryBlock& piece : pieces) {
    if (groups.empty() || !Admits(groups.back(), piece, heads)) {
      groups.emplace_back();
    }
    groups.back().push_back(piece);
  }
  return groups;
}

struct Rectangle {
  int64_t queries = 0;           // Tq
  int64_t keys = 0;              // Tk
  std::vector<int64_t> padded;   // [B * Tq] packed row of each query.
  std::vector<int64_t> real;     // [n] entries of `padded` that are no padding.
  std::vector<int64_t> packed;   // [n] packed rows of the real entries.
  std::vector<int64_t> cached;   // [B * Tk] cache row of each key.
  std::vector<int64_t> visible;  // [B * Tq] keys that each query sees.
};

// Padding repeats a query or a key of the same row: nothing of another
// sequence's is read, so its NaN cannot come in.
Rectangle Surround(absl::Span<const QueryBlock> group, int64_t context_length,
                   int layer) {
  Rectangle r;
  for (const QueryBlock& piece : group) {
    r.queries = std::max<int64_t>(r.queries, piece.length);
    r.keys = std::max<int64_t>(r.keys, piece.prefix());
  }
  for (const QueryBlock& piece : group) {
    for (int64_t i = 0; i < r.queries; ++i) {
      const int64_t query = std::min<int64_t>(i, piece.length - 1);
      if (i < piece.length) {
        r.real.push_back(static_cast<int64_t>(r.padded.size()));
        r.packed.push_back(piece.offset + i);
      }
      r.padded.push_back(piece.offset + query);
      r.visible.push_back(piece.start + query + 1);
    }
    const int shared = piece.row->fork.SharedAt(layer);
    for (int64_t j = 0; j < r.keys; ++j) {
      const int64_t position = j < piece.prefix() ? j : 0;
      const int slot =
          position < shared ? piece.row->fork.kv_slot : piece.row->kv_slot;
      r.cached.push_back(slot * context_length + position);
    }
  }
  return r;
}

// [B, 1, Tq, Tk] 0 or -inf; undefined where every query sees every key.
at::Tensor CausalMask(const Rectangle& r, at::Device device) {
  if (std::all_of(r.visible.begin(), r.visible.end(),
                  [&](int64_t count) { return count == r.keys; })) {
    return at::Tensor();
  }
  const at::Tensor limit =
      at::tensor(r.visible, at::kLong).to(device).view({-1, 1, r.queries, 1});
  const auto options = at::TensorOptions(at::kLong).device(device);
  const at::Tensor hidden = at::arange(r.keys, options) >= limit;
  return at::zeros(hidden.sizes(), options.dtype(at::kFloat))
      .masked_fill_(hidden, -std::numeric_limits<float>::infinity());
}

// The cache row of each packed token.
std::vector<int64_t> CacheRows(const Packing& packing, int64_t context_length) {
  std::vector<int64_t> rows;
  for (const PackedRow& row : packing.rows) {
    for (int i = 0; i < row.length; ++i) {
      rows.push_back(row.kv_slot * context_length + row.start + i);
    }
  }
  return rows;
}

// One query a row -> [B, D].
at::Tensor DecodeAttention(const at::Tensor& queries, const DecodePlan& plan,
                           const KvCache& cache, const AttentionShape& shape,
                           int layer) {
  const at::Tensor cached = plan.Cached(layer);  // [B, H, Tk]
  const auto take = [&](const at::Tensor& from) {
    return from.view({-1, shape.head_dim})
        .index_select(0, cached.flatten())
        .to(at::kFloat)
        .view({cached.size(0), shape.n_head, cached.size(2), shape.head_dim});
  };
  const at::Tensor q =
      queries.reshape({cached.size(0), shape.n_head, 1, shape.head_dim});
  return Attention(q, take(cache.keys(layer)), take(cache.values(layer)),
                   plan.mask, shape.scale)
      .reshape({-1, shape.d_model()});
}

}  // namespace

void StorePlain(const at::Tensor& keys_values, const Packing& packing,
                KvCache& cache, const AttentionShape& shape, int layer) {
  const at::Tensor rows =
      packing.decode != nullptr
          ? packing.decode->stored
          : at::tensor(CacheRows(packing, cache.context_length()), at::kLong)
                .to(keys_values.device());
  const auto store = [&](at::Tensor to, int64_t first) {
    to.index_copy_(0, rows,
                   keys_values.narrow(1, first, shape.d_model())
                       .reshape({packing.tokens, shape.n_head, shape.head_dim})
                       .to(to.scalar_type()));
  };
  store(cache.keys(layer), 0);
  store(cache.values(layer), shape.d_model());
}

at::Tensor PlainAttention(const at::Tensor& queries, const Packing& packing,
                          const KvCache& cache, const AttentionShape& shape,
                          int layer) {
  if (packing.decode != nullptr) {
    return DecodeAttention(queries, *packing.decode, cache, shape, layer);
  }
  const double scale = shape.scale;
  at::Tensor output =
      at::empty({packing.tokens, shape.d_model()}, queries.options());
  for (const std::vector<QueryBlock>& group :
       MakeGroups(packing.rows, shape.n_head)) {
    const Rectangle r = Surround(group, cache.context_length(), layer);
    const int64_t count = static_cast<int64_t>(group.size());
    const auto take = [&](const at::Tensor& from,
                          const std::vector<int64_t>& rows, int64_t length) {
      return TakeRows(from, rows)
          .reshape({count, length, shape.n_head, shape.head_dim})
          .transpose(1, 2);  // [B, H, length, K]
    };
    const at::Tensor context =
        Attention(take(queries, r.padded, r.queries),
                  take(cache.keys(layer), r.cached, r.keys).to(at::kFloat),
                  take(cache.values(layer), r.cached, r.keys).to(at::kFloat),
                  CausalMask(r, queries.device()), scale)
            .transpose(1, 2)
            .reshape({-1, shape.d_model()});  // [B * Tq, D]
    output.index_copy_(0, at::tensor(r.packed, at::kLong).to(queries.device()),
                       TakeRows(context, r.real));
  }
  return output;
}

}  // namespace alignsae
