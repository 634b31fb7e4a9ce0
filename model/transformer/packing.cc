#include "model/transformer/packing.h"

#include <utility>

namespace alignsae {

Packing Pack(std::vector<PackedRow> rows) {
  Packing packing;
  for (PackedRow& row : rows) {
    row.offset = static_cast<int>(packing.tokens);
    packing.tokens += row.length;
  }
  packing.rows = std::move(rows);
  return packing;
}

at::Tensor Positions(const Packing& packing, at::Device device) {
  std::vector<int64_t> positions;
  positions.reserve(packing.tokens);
  for (const PackedRow& row : packing.rows) {
    for (int i = 0; i < row.length; ++i) positions.push_back(row.start + i);
  }
  return at::tensor(positions, at::kLong).to(device);
}

at::Tensor TakeRows(const at::Tensor& tensor,
                    const std::vector<int64_t>& indices) {
  return tensor.index_select(
      0, at::tensor(indices, at::kLong).to(tensor.device()));
}

}  // namespace alignsae
