#include "model/transformer/decode_plan.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace alignsae {
namespace {

constexpr int64_t kKeyStep = 64;

// Rows of the table.
enum Number {
  kToken,
  kPosition,
  kStored,
  kVisible,      // Keys that the token sees, its own included.
  kOwn,          // First row of its slot.
  kFork,         // First row of the slot that it shares a prefix of.
  kSharedBelow,  // Keys read from there, in blocks below the fork's site.
  kSharedAbove,  // The same from there on.
  kSite,
  kNumbers
};

}  // namespace

bool IsDecode(absl::Span<const PackedRow> rows) {
  return !rows.empty() &&
         std::all_of(rows.begin(), rows.end(), [](const PackedRow& row) {
           return row.length == 1 && row.logits == 1 && row.continues < 0 &&
                  !row.is_trunk;
         });
}

DecodeShape ShapeOf(absl::Span<const PackedRow> rows, int context_length,
                    bool rounded) {
  DecodeShape shape;
  shape.batch = static_cast<int64_t>(rows.size());
  for (const PackedRow& row : rows) {
    shape.keys = std::max<int64_t>(shape.keys, row.start + 1);
    shape.forks |= row.fork.kv_slot >= 0;
  }
  if (rounded) {
    shape.batch = static_cast<int64_t>(std::bit_ceil(rows.size()));
    shape.keys = std::min<int64_t>(
        (shape.keys + kKeyStep - 1) / kKeyStep * kKeyStep, context_length);
  }
  return shape;
}

at::Tensor DecodeNumbers(absl::Span<const int32_t> tokens,
                         absl::Span<const PackedRow> rows,
                         const DecodeShape& shape, const KvCache& cache) {
  const int64_t context = cache.context_length();
  const int64_t spare = cache.slots() * context;
  at::Tensor numbers = at::zeros({kNumbers, shape.batch}, at::kLong);
  int64_t* out = numbers.data_ptr<int64_t>();
  const auto set = [&](Number number, int64_t row, int64_t value) {
    out[number * shape.batch + row] = value;
  };
  for (int64_t i = 0; i < shape.batch; ++i) {
    if (i >= static_cast<int64_t>(rows.size())) {
      set(kStored, i, spare);
      set(kOwn, i, spare);
      set(kVisible, i, 1);
      continue;
    }
    const PackedRow& row = rows[i];
    const int64_t own = row.kv_slot * context;
    set(kToken, i, tokens[i]);
    set(kPosition, i, row.start);
    set(kStored, i, own + row.start);
    set(kVisible, i, row.start + 1);
    set(kOwn, i, own);
    if (row.fork.kv_slot < 0) continue;
    set(kFork, i, row.fork.kv_slot * context);
    set(kSharedBelow, i, row.fork.length);
    set(kSharedAbove, i, row.fork.position);
    set(kSite, i, row.fork.site);
  }
  return numbers;
}

DecodePlan::DecodePlan(const at::Tensor& numbers, const DecodeShape& shape,
                       int64_t heads)
    : ids(numbers[kToken]),
      positions(numbers[kPosition]),
      stored(numbers[kStored]) {
  const at::Tensor key = at::arange(shape.keys, numbers.options());  // [Tk]
  const auto column = [&](Number number) {
    return numbers[number].unsqueeze(1);  // [B, 1]
  };
  const at::Tensor hidden = key >= column(kVisible);  // [B, Tk]
  mask = at::zeros(hidden.sizes(), numbers.options().dtype(at::kFloat))
             .masked_fill_(hidden, -std::numeric_limits<float>::infinity())
             .unsqueeze(1)
             .unsqueeze(1);
  // A hidden key repeats the row's first: nothing of another sequence's is
  // read, so its NaN cannot come in.
  const at::Tensor position = key.masked_fill(hidden, 0);  // [B, Tk]
  const at::Tensor head =
      at::arange(heads, numbers.options()).view({1, heads, 1});
  const auto by_head = [&](const at::Tensor& row) {
    return row.unsqueeze(1) * heads + head;  // [B, Tk] -> [B, H, Tk]
  };
  const at::Tensor own = column(kOwn) + position;
  if (!shape.forks) {
    above_ = by_head(own);
    return;
  }
  const at::Tensor shared = column(kFork) + position;
  below_ = by_head(at::where(position < column(kSharedBelow), shared, own));
  above_ = by_head(at::where(position < column(kSharedAbove), shared, own));
  site_ = numbers[kSite].view({-1, 1, 1});
}

at::Tensor DecodePlan::Cached(int layer) const {
  return site_.defined() ? at::where(site_ > layer, below_, above_) : above_;
}

}  // namespace alignsae
