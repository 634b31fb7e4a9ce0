#include "model/transformer/prepared_matrix.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model/kernels/kernels.h"
#include "model/transformer/balance.h"
#include "model/transformer/streamed_memory.h"

namespace alignsae {
namespace {

using Memory = dnnl::memory;

// Rows that the weights' layout is asked for. It suits all other numbers of
// rows: oneDNN chooses it by the shape of the weights.
constexpr int64_t kTypicalRows = 64;
// Blocks of columns that one thread takes at least in a product of a few rows.
constexpr int64_t kBlocksPerTask = 2;
// Rows that one thread takes at least in the passes around an int8 product.
constexpr int64_t kRowsPerTask = 4;

// Rows up to which our kernel for bfloat16 is faster than tiles.
constexpr int64_t kMaxRowsBesideTiles = 8;

int ElementBytes(WeightType type) {
  return type == WeightType::kF32 ? 4 : type == WeightType::kBf16 ? 2 : 1;
}

// Each column's largest magnitude becomes 127.
at::Tensor ColumnScales(const at::Tensor& weight) {
  return weight.abs().amax(0).div(127).clamp_min(1e-30).contiguous();  // [O]
}

// The layout that the kernels of our own read.
Memory::desc KernelLayout(int64_t inputs, int64_t outputs, WeightType type) {
  const Memory::format_tag tag =
      type == WeightType::kF32    ? Memory::format_tag::BA16a64b
      : type == WeightType::kBf16 ? Memory::format_tag::BA16a64b2a
                                  : Memory::format_tag::BA16a64b4a;
  return Memory::desc({inputs, outputs}, StoredType(type), tag);
}

// All that decides where a weight lies.
std::string InWords(const Memory::desc& layout) {
  const auto& data = layout.data;
  const auto& blocks = data.format_desc.blocking;
  const auto list = [](const auto* values, int count) {
    return absl::StrJoin(absl::MakeConstSpan(values, count), "x");
  };
  return absl::StrCat("type ", static_cast<int>(data.data_type), " format ",
                      static_cast<int>(data.format_kind), " padded ",
                      list(data.padded_dims, data.ndims), " strides ",
                      list(blocks.strides, data.ndims), " blocks ",
                      list(blocks.inner_blks, blocks.inner_nblks), " of ",
                      list(blocks.inner_idxs, blocks.inner_nblks), " extra ",
                      data.extra.flags);
}

GemmKernel KernelOf(WeightType type) {
  const SmallGemmKernels& kernels = SmallGemm();
  return type == WeightType::kF32    ? kernels.f32
         : type == WeightType::kBf16 ? kernels.bf16
                                     : kernels.int8;
}

int64_t MaxSmallRows(WeightType type) {
  return type == WeightType::kBf16 && OneDnnHasTiles() ? kMaxRowsBesideTiles
                                                       : kMaxSmallGemmRows;
}

}  // namespace

PreparedMatrix::PreparedMatrix(const at::Tensor& weight, bool bias,
                               WeightType type, const at::Tensor& row_scale)
    : type_(type), inputs_(weight.size(0)), outputs_(weight.size(1)) {
  SetLayout(bias);
  memory_ = StreamedMemory(static_cast<int64_t>(layout_.get_size()));
  if (type_ == WeightType::kInt8) {
    Repack(Round(weight, row_scale), layout_, memory_);
  } else {
    Repack(weight, layout_, memory_);
  }
}

PreparedMatrix::PreparedMatrix(const PreparedParts& parts,
                               const std::string& name, bool bias,
                               WeightType type)
    : type_(type) {
  const at::Tensor shape = parts.Get(name + ".shape");
  inputs_ = shape[0].item<int64_t>();
  outputs_ = shape[1].item<int64_t>();
  SetLayout(bias);
  memory_ = parts.Get(name + ".memory");
  const std::string layout = parts.GetText(name + ".layout");
  if (layout != InWords(layout_) || memory_.nbytes() != layout_.get_size()) {
    throw std::runtime_error(absl::StrCat(name, ": must be in the layout ",
                                          InWords(layout_), ", got ", layout));
  }
  if (type_ == WeightType::kInt8) {
    column_scales_ = parts.Get(name + ".column_scales");
    column_sums_ = parts.Get(name + ".column_sums");
  }
}

void PreparedMatrix::Save(const std::string& name, PreparedParts& parts) const {
  parts.Put(name + ".shape", at::tensor({inputs_, outputs_}, at::kLong));
  parts.PutText(name + ".layout", InWords(layout_));
  parts.Put(name + ".memory", memory_);
  parts.Put(name + ".column_scales", column_scales_);
  parts.Put(name + ".column_sums", column_sums_);
}

void PreparedMatrix::SetLayout(bool bias) {
  layout_ =
      PreferredLayout({kTypicalRows, inputs_, outputs_, type_,
                       type_ != WeightType::kInt8 && bias, Finish::kNone});
  small_kernel_ = FindSmallKernel();
  max_small_rows_ = MaxSmallRows(type_);
}

at::Tensor PreparedMatrix::Round(const at::Tensor& weight,
                                 const at::Tensor& row_scale) {
  at::Tensor rounded = at::empty({inputs_, outputs_}, at::kChar);
  column_scales_ = at::empty({outputs_}, at::kFloat);
  column_sums_ = at::empty({outputs_}, at::kInt);
  for (int64_t first = 0; first < outputs_; first += kColumnsAtOnce) {
    const int64_t count = std::min(kColumnsAtOnce, outputs_ - first);
    at::Tensor part = weight.narrow(1, first, count);
    if (row_scale.defined()) part = part.mul(row_scale.unsqueeze(1));
    const at::Tensor scales = ColumnScales(part);
    const at::Tensor integers = part.div(scales).round_().to(at::kChar);
    rounded.narrow(1, first, count).copy_(integers);
    column_scales_.narrow(0, first, count).copy_(scales);
    column_sums_.narrow(0, first, count)
        .copy_(integers.sum({0}, false, at::kInt));
  }
  return rounded;
}

GemmKernel PreparedMatrix::FindSmallKernel() const {
  const bool whole = layout_.data.padded_dims[0] == inputs_;
  return whole && layout_ == KernelLayout(inputs_, outputs_, type_)
             ? KernelOf(type_)
             : nullptr;
}

std::shared_ptr<const PreparedMatrix> PreparedMatrix::Columns(
    int64_t first, int64_t count) const {
  if (small_kernel_ == nullptr || first % kColumnBlock != 0 ||
      count % kColumnBlock != 0) {
    return nullptr;
  }
  std::shared_ptr<PreparedMatrix> part(new PreparedMatrix);
  part->type_ = type_;
  part->inputs_ = inputs_;
  part->outputs_ = count;
  part->layout_ = KernelLayout(inputs_, count, type_);
  const int64_t column_bytes =
      inputs_ * static_cast<int64_t>(ElementBytes(type_));
  part->memory_ = memory_.narrow(0, first * column_bytes, count * column_bytes);
  if (type_ == WeightType::kInt8) {
    part->column_scales_ = column_scales_.narrow(0, first, count);
    part->column_sums_ = column_sums_.narrow(0, first, count);
  }
  part->small_kernel_ = small_kernel_;
  part->max_small_rows_ = max_small_rows_;
  return part;
}

bool PreparedMatrix::UsesSmallKernel(int64_t rows) const {
  return small_kernel_ != nullptr && rows <= max_small_rows_;
}

void PreparedMatrix::Multiply(const at::Tensor& x, const at::Tensor& bias,
                              Finish finish, at::Tensor& y) const {
  const GemmFinish ours = finish == Finish::kNone  ? GemmFinish::kStore
                          : finish == Finish::kAdd ? GemmFinish::kAdd
                                                   : GemmFinish::kGelu;
  if (type_ == WeightType::kInt8) {
    MultiplyInt8(x, bias, ours, y);
  } else if (UsesSmallKernel(x.size(0))) {
    MultiplySmall(x, bias, nullptr, ours, y);
  } else {
    MultiplyByOneDnn(
        {x.size(0), inputs_, outputs_, type_, bias.defined(), finish}, x,
        layout_, memory_, bias, y);
  }
}

void PreparedMatrix::MultiplySmall(const at::Tensor& x, const at::Tensor& bias,
                                   const float* row_scales, GemmFinish finish,
                                   at::Tensor& y) const {
  const int64_t blocks = (outputs_ + kColumnBlock - 1) / kColumnBlock;
  const int64_t block_bytes =
      inputs_ * kColumnBlock * static_cast<int64_t>(ElementBytes(type_));
  at::parallel_for(0, blocks, kBlocksPerTask, [&](int64_t begin, int64_t end) {
    const int64_t column = begin * kColumnBlock;
    GemmTask task;
    task.x = x.data_ptr();
    task.rows = x.size(0);
    task.inputs = inputs_;
    task.blocks = memory_.data_ptr<uint8_t>() + begin * block_bytes;
    task.columns = std::min(end * kColumnBlock, outputs_) - column;
    if (bias.defined()) task.bias = bias.data_ptr<float>() + column;
    if (type_ == WeightType::kInt8) {
      task.row_scales = row_scales;
      task.column_scales = column_scales_.data_ptr<float>() + column;
      task.column_sums = column_sums_.data_ptr<int32_t>() + column;
    }
    task.finish = finish;
    if (y.scalar_type() == at::kFloat) {
      task.y = y.data_ptr<float>() + column;
    } else {
      task.narrow_y =
          reinterpret_cast<Bf16*>(y.data_ptr<at::BFloat16>()) + column;
    }
    task.y_stride = outputs_;
    small_kernel_(task);
  });
}

void PreparedMatrix::MultiplyInt8(const at::Tensor& x, const at::Tensor& bias,
                                  GemmFinish finish, at::Tensor& y) const {
  const Kernels& kernels = CpuKernels();
  const int64_t rows = x.size(0);
  const at::Tensor bytes = at::empty({rows, inputs_}, at::kByte);
  const at::Tensor scales = at::empty({rows}, at::kFloat);
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    kernels.quantize(x.data_ptr<float>() + begin * inputs_, end - begin,
                     inputs_, bytes.data_ptr<uint8_t>() + begin * inputs_,
                     scales.data_ptr<float>() + begin);
  });
  if (UsesSmallKernel(rows)) {
    MultiplySmall(bytes, bias, scales.data_ptr<float>(), finish, y);
    return;
  }
  at::Tensor sums = at::empty({rows, outputs_}, at::kInt);
  MultiplyByOneDnn({rows, inputs_, outputs_, type_, false, Finish::kNone},
                   bytes, layout_, memory_, at::Tensor(), sums);
  const Int8Epilogue epilogue = {
      column_scales_.data_ptr<float>(), column_sums_.data_ptr<int32_t>(),
      bias.defined() ? bias.data_ptr<float>() : nullptr, outputs_};
  const auto after = finish == GemmFinish::kStore ? kernels.int8_store
                     : finish == GemmFinish::kAdd ? kernels.int8_add
                                                  : kernels.int8_gelu;
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    after(sums.data_ptr<int32_t>() + begin * outputs_,
          scales.data_ptr<float>() + begin, end - begin, epilogue,
          y.data_ptr<float>() + begin * outputs_);
  });
}

}  // namespace alignsae
