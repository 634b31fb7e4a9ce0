#include "model/transformer/block_parts.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/transformer/layers.h"

namespace alignsae {
namespace {

NormedMatrix ForType(const NormedMatrix& plain, WeightType type) {
  return type == WeightType::kInt8 ? Balanced(plain) : plain;
}

// nullopt where the layout does not allow it.
std::optional<SplitLinear> SplitInPlace(const NormedLinear& whole,
                                        int64_t first) {
  const int64_t rest = whole.matrix().outputs() - first;
  std::optional<Linear> left = whole.matrix().Columns(0, first);
  std::optional<Linear> right = whole.matrix().Columns(first, rest);
  if (!left.has_value() || !right.has_value()) return std::nullopt;
  return SplitLinear{*std::move(left), *std::move(right)};
}

// Names of a block's matrices; the one list that saving and taking go by.
struct BlockNames {
  explicit BlockNames(size_t block)
      : attention(Of(block, "attention")),
        dense(Of(block, "dense")),
        inner(Of(block, "inner")),
        out(Of(block, "out")) {}
  static std::string Of(size_t block, absl::string_view part) {
    return absl::StrCat("blocks.", block, ".", part);
  }
  const std::string attention, dense, inner, out;
};

}  // namespace

NormedLinear::NormedLinear(const NormedMatrix& plain, double epsilon,
                           WeightType type)
    : epsilon_(epsilon) {
  const NormedMatrix prepared = ForType(plain, type);
  gain_ = prepared.gain;
  shift_ = prepared.shift;
  matrix_ = Linear(prepared.weight, prepared.bias, type, prepared.row_scale);
  plain_scale_ = at::where(plain.gain.ne(0), prepared.gain.div(plain.gain),
                           at::ones_like(prepared.gain));
}

NormedLinear::NormedLinear(const PreparedParts& parts, const std::string& name,
                           double epsilon, WeightType type)
    : gain_(parts.Get(name + ".gain")),
      shift_(parts.Get(name + ".shift")),
      epsilon_(epsilon),
      matrix_(parts, name, type),
      plain_scale_(parts.Get(name + ".plain_scale")) {}

void NormedLinear::Save(const std::string& name, PreparedParts& parts) const {
  parts.Put(name + ".gain", gain_);
  parts.Put(name + ".shift", shift_);
  parts.Put(name + ".plain_scale", plain_scale_);
  matrix_.Save(name, parts);
}

at::Tensor NormedLinear::MatrixOnly(const at::Tensor& x) const {
  const auto product = [&](const at::Tensor& of) {
    return matrix_.Apply(of.to(matrix_.input_type()).contiguous());
  };
  const at::Tensor scaled = x.mul(plain_scale_);
  // What it adds by itself: a balanced matrix has the norm's shift in it.
  return product(scaled).sub_(product(at::zeros_like(scaled)));
}

at::Tensor NormedLinear::Normalised(const at::Tensor& x) const {
  return FastLayerNorm(x, gain_, shift_, epsilon_, matrix_.input_type());
}

SplitLinear SplitColumns(const NormedLinear& whole, const NormedMatrix& plain,
                         int64_t first, WeightType type) {
  const int64_t rest = plain.weight.size(1) - first;
  std::optional<SplitLinear> split = SplitInPlace(whole, first);
  if (split.has_value()) return *std::move(split);
  const NormedMatrix prepared = ForType(plain, type);
  const auto columns = [&](int64_t begin, int64_t count) {
    return Linear(prepared.weight.narrow(1, begin, count),
                  prepared.bias.narrow(0, begin, count), type,
                  prepared.row_scale);
  };
  return {columns(0, first), columns(first, rest)};
}

SplitLinear SplitColumns(const NormedLinear& whole, const PreparedParts& parts,
                         const std::string& name, int64_t first,
                         WeightType type) {
  std::optional<SplitLinear> split = SplitInPlace(whole, first);
  if (split.has_value()) return *std::move(split);
  return {Linear(parts, name + ".first", type),
          Linear(parts, name + ".rest", type)};
}

void SaveSplit(const NormedLinear& whole, const SplitLinear& split,
               const std::string& name, int64_t first, PreparedParts& parts) {
  if (SplitInPlace(whole, first).has_value()) return;
  split.first.Save(name + ".first", parts);
  split.rest.Save(name + ".rest", parts);
}

void SaveBlocks(const Blocks& blocks, PreparedParts& parts) {
  for (size_t i = 0; i < blocks.size(); ++i) {
    const BlockNames names(i);
    blocks[i]->attention.Save(names.attention, parts);
    blocks[i]->dense.Save(names.dense, parts);
    blocks[i]->inner.Save(names.inner, parts);
    blocks[i]->out.Save(names.out, parts);
  }
}

Blocks TakeBlocks(const PreparedParts& parts, int count, double epsilon,
                  WeightType type) {
  Blocks blocks;
  for (int i = 0; i < count; ++i) {
    const BlockNames names(i);
    blocks.push_back(std::make_shared<const BlockMatrices>(BlockMatrices{
        .attention = NormedLinear(parts, names.attention, epsilon, type),
        .dense = Linear(parts, names.dense, type),
        .inner = NormedLinear(parts, names.inner, epsilon, type),
        .out = Linear(parts, names.out, type)}));
  }
  return blocks;
}

void AddMatrices(const Blocks& blocks, std::vector<const Linear*>& all) {
  for (const auto& block : blocks) {
    all.insert(all.end(), {&block->attention.matrix(), &block->dense,
                           &block->inner.matrix(), &block->out});
  }
}

void AddPart(const Linear& projection, const at::Tensor& input, HookKind kind,
             const BlockHook* hook, at::Tensor& x) {
  if (hook == nullptr) {
    projection.AddTo(input, x);
    return;
  }
  at::Tensor part = projection.Apply(input);  // [N, D]
  hook->At(kind, part);
  x.add_(part);
}

}  // namespace alignsae
