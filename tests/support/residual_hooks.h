// Residual hooks for tests of the forward pass.
//
// Thread-safety: one forward pass at a time.

#ifndef ALIGNSAE_TESTS_SUPPORT_RESIDUAL_HOOKS_H_
#define ALIGNSAE_TESTS_SUPPORT_RESIDUAL_HOOKS_H_

#include <ATen/ATen.h>

#include <functional>
#include <map>
#include <utility>

#include "model/transformer/residual_hook.h"

namespace alignsae {

// Calls a function once per site, row and position with a view of the residual
// [D], which it may edit in place.
class PositionHook : public ResidualHook {
 public:
  using Function = std::function<void(int site, const PackedRow& row,
                                      int position, at::Tensor residual)>;
  explicit PositionHook(Function function) : function_(std::move(function)) {}

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    for (const PackedRow& row : rows) {
      for (int i = 0; i < row.length; ++i) {
        function_(site, row, row.start + i, residual[row.offset + i]);
      }
    }
  }

 private:
  Function function_;
};

// Keeps what every row's residual was at every site.
class CapturingHook : public ResidualHook {
 public:
  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    for (const PackedRow& row : rows) {
      const at::Tensor own = residual.narrow(0, row.offset, row.length);
      residuals_[{row.index, site}] = own.clone();  // [length, D]
    }
  }

  // [length, D] of the row with that index; undefined when it was not there.
  at::Tensor Residual(int index, int site) const {
    auto it = residuals_.find({index, site});
    return it == residuals_.end() ? at::Tensor() : it->second;
  }

 private:
  std::map<std::pair<int, int>, at::Tensor> residuals_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_RESIDUAL_HOOKS_H_
