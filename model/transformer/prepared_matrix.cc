#include "model/transformer/prepared_matrix.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model/kernels/kernels.h"
#include "model/transformer/balance.h"
#include "model/transformer/narrow_layout.h"
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
constexpr int64_t kInt8RowsPerTask = 4;
// Rows of an int8 product that go through all of its passes together: what lies
// between them stays in the caches, and in memory that is kept.
constexpr int64_t kInt8RowsAtOnce = 384;

int ElementBytes(WeightType type) {
  return type == WeightType::kF32 ? 4 : type == WeightType::kBf16 ? 2 : 1;
}

// Memory between the passes of a product, which each thread keeps: at this size
// the allocator would get it from the system each time, and each page with a
// fault.
struct Workspace {
  at::Tensor bytes, scales, sums;
};

// Room for `count` numbers. No view of a tensor: making one costs more than a
// product of one row may spend.
template <typename T>
T* Reserved(at::Tensor& kept, int64_t count, at::ScalarType type) {
  if (!kept.defined() || kept.numel() < count) kept = at::empty({count}, type);
  return static_cast<T*>(kept.data_ptr());
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

int64_t BlocksOf(int64_t outputs) {
  return (outputs + kColumnBlock - 1) / kColumnBlock;
}

GemmKernel KernelOf(GemmPath path, WeightType type) {
  const SmallGemmKernels& kernels = SmallGemm();
  if (HasNarrowLayout(type)) {
    return type == WeightType::kF32    ? kernels.f32_avx2
           : type == WeightType::kBf16 ? kernels.bf16_avx2
                                       : kernels.int8_avx2;
  }
  if (type == WeightType::kF32) return kernels.f32;
  const bool tiles = path == GemmPath::kTiles;
  return type == WeightType::kBf16
             ? (tiles ? kernels.bf16_tiles : kernels.bf16)
             : (tiles ? kernels.int8_tiles : kernels.int8);
}

MatrixShape ShapeOf(const at::Tensor& sizes, WeightType type) {
  return {type, sizes[0].item<int64_t>(), sizes[1].item<int64_t>()};
}

}  // namespace

PreparedMatrix::PreparedMatrix(const at::Tensor& weight, bool bias,
                               WeightType type, const at::Tensor& row_scale)
    : PreparedMatrix(MatrixShape{type, weight.size(0), weight.size(1)}) {
  SetLayout(bias);
  const at::Tensor stored =
      type == WeightType::kInt8 ? Round(weight, row_scale) : weight;
  if (narrow()) {
    memory_ = PackNarrow(stored, type);
  } else {
    memory_ = StreamedMemory(LayoutBytes());
    Repack(stored, layout_, memory_);
  }
}

PreparedMatrix::PreparedMatrix(const PreparedParts& parts,
                               const std::string& name, bool bias,
                               WeightType type)
    : PreparedMatrix(ShapeOf(parts.Get(name + ".shape"), type)) {
  SetLayout(bias);
  memory_ = parts.Get(name + ".memory");
  const std::string layout = parts.GetText(name + ".layout");
  if (layout != LayoutInWords() || bytes() != LayoutBytes()) {
    throw std::runtime_error(absl::StrCat(name, ": must be in the layout ",
                                          LayoutInWords(), ", got ", layout));
  }
  if (type == WeightType::kInt8) {
    column_scales_ = parts.Get(name + ".column_scales");
    column_sums_ = parts.Get(name + ".column_sums");
  }
}

void PreparedMatrix::Save(const std::string& name, PreparedParts& parts) const {
  parts.Put(name + ".shape",
            at::tensor({shape_.inputs, shape_.outputs}, at::kLong));
  parts.PutText(name + ".layout", LayoutInWords());
  parts.Put(name + ".memory", memory_);
  parts.Put(name + ".column_scales", column_scales_);
  parts.Put(name + ".column_sums", column_sums_);
}

void PreparedMatrix::SetLayout(bool bias) {
  in_kernel_layout_ = narrow();
  if (narrow()) return;
  layout_ =
      PreferredLayout({kTypicalRows, shape_.inputs, shape_.outputs, type(),
                       type() != WeightType::kInt8 && bias, Finish::kNone});
  in_kernel_layout_ =
      layout_.data.padded_dims[0] == shape_.inputs &&
      layout_ == KernelLayout(shape_.inputs, shape_.outputs, type());
}

std::string PreparedMatrix::LayoutInWords() const {
  return narrow() ? absl::StrCat(WeightTypeName(type()), " blocks of ",
                                 kNarrowColumnBlock, " columns")
                  : InWords(layout_);
}

int64_t PreparedMatrix::LayoutBytes() const {
  return narrow() ? BlocksOf(outputs()) * block_bytes()
                  : static_cast<int64_t>(layout_.get_size());
}

at::Tensor PreparedMatrix::Round(const at::Tensor& weight,
                                 const at::Tensor& row_scale) {
  at::Tensor rounded = at::empty({shape_.inputs, shape_.outputs}, at::kChar);
  column_scales_ = at::empty({outputs()}, at::kFloat);
  column_sums_ = at::empty({outputs()}, at::kInt);
  for (int64_t first = 0; first < outputs(); first += kColumnsAtOnce) {
    const int64_t count = std::min(kColumnsAtOnce, outputs() - first);
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

std::shared_ptr<const PreparedMatrix> PreparedMatrix::Columns(
    int64_t first, int64_t count) const {
  if (!in_kernel_layout_ || first % kColumnBlock != 0 ||
      count % kColumnBlock != 0) {
    return nullptr;
  }
  std::shared_ptr<PreparedMatrix> part(
      new PreparedMatrix({type(), shape_.inputs, count}));
  part->plan_ = plan_;
  if (!narrow()) part->layout_ = KernelLayout(shape_.inputs, count, type());
  part->in_kernel_layout_ = true;
  part->memory_ = memory_.narrow(0, first / kColumnBlock * block_bytes(),
                                 count / kColumnBlock * block_bytes());
  if (type() == WeightType::kInt8) {
    part->column_scales_ = column_scales_.narrow(0, first, count);
    part->column_sums_ = column_sums_.narrow(0, first, count);
  }
  return part;
}

int64_t PreparedMatrix::stored_inputs() const {
  return narrow() ? NarrowInputs(type(), shape_.inputs) : shape_.inputs;
}

int64_t PreparedMatrix::block_bytes() const {
  return stored_inputs() * kColumnBlock *
         static_cast<int64_t>(ElementBytes(type()));
}

void PreparedMatrix::ComesBefore(const PreparedMatrix& next) const {
  if (!next.in_kernel_layout_) return;
  next_ = next.memory_.data_ptr<uint8_t>();
  next_block_bytes_ = next.block_bytes();
  next_blocks_ = BlocksOf(next.outputs());
}

bool PreparedMatrix::CanMultiplyBy(GemmPath path, int64_t rows) const {
  return CanRun(path, type(), rows) &&
         (path == GemmPath::kOneDnn || in_kernel_layout_);
}

void PreparedMatrix::MultiplyBy(GemmPath path, const at::Tensor& x,
                                const at::Tensor& bias, Finish finish,
                                at::Tensor& y) const {
  if (const int64_t missing = stored_inputs() - x.size(1); missing > 0) {
    return MultiplyBy(path, at::constant_pad_nd(x, {0, missing}), bias, finish,
                      y);
  }
  const GemmFinish ours = finish == Finish::kNone  ? GemmFinish::kStore
                          : finish == Finish::kAdd ? GemmFinish::kAdd
                                                   : GemmFinish::kGelu;
  if (type() == WeightType::kInt8) {
    MultiplyInt8(path, x, bias, ours, y);
  } else if (path == GemmPath::kOneDnn) {
    MultiplyByOneDnn({x.size(0), shape_.inputs, shape_.outputs, type(),
                      bias.defined(), finish},
                     x, layout_, memory_, bias, y);
  } else {
    MultiplyByOurs(KernelOf(path, type()), x.data_ptr(), x.size(0), bias,
                   nullptr, ours, y);
  }
}

void PreparedMatrix::MultiplyByOurs(GemmKernel kernel, const void* x,
                                    int64_t rows, const at::Tensor& bias,
                                    const float* row_scales, GemmFinish finish,
                                    at::Tensor& y) const {
  const int64_t blocks = BlocksOf(outputs());
  const uint8_t* next = next_;
  const int64_t next_blocks = next_blocks_;
  at::parallel_for(0, blocks, kBlocksPerTask, [&](int64_t begin, int64_t end) {
    const int64_t column = begin * kColumnBlock;
    GemmTask task;
    task.x = x;
    task.rows = rows;
    task.inputs = stored_inputs();
    task.blocks = memory_.data_ptr<uint8_t>() + begin * block_bytes();
    // A thread gets the same part of every matrix.
    if (next != nullptr) {
      task.after = next + begin * next_blocks / blocks * next_block_bytes_;
    }
    task.columns = std::min(end * kColumnBlock, outputs()) - column;
    if (bias.defined()) task.bias = bias.data_ptr<float>() + column;
    if (type() == WeightType::kInt8) {
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
    task.y_stride = outputs();
    kernel(task);
  });
}

void PreparedMatrix::MultiplyInt8(GemmPath path, const at::Tensor& x,
                                  const at::Tensor& bias, GemmFinish finish,
                                  at::Tensor& y) const {
  thread_local Workspace kept;
  const int64_t width = stored_inputs();
  for (int64_t first = 0; first < x.size(0); first += kInt8RowsAtOnce) {
    const int64_t rows = std::min(kInt8RowsAtOnce, x.size(0) - first);
    auto* bytes = Reserved<uint8_t>(kept.bytes, rows * width, at::kByte);
    auto* scales = Reserved<float>(kept.scales, rows, at::kFloat);
    const float* from = x.data_ptr<float>() + first * width;
    at::parallel_for(
        0, rows, kInt8RowsPerTask, [&](int64_t begin, int64_t end) {
          CpuKernels().quantize(from + begin * width, end - begin, width,
                                bytes + begin * width, scales + begin);
        });
    at::Tensor part = rows == x.size(0) ? y : y.narrow(0, first, rows);
    if (path == GemmPath::kOneDnn) {
      at::Tensor sums = at::from_blob(
          Reserved<int32_t>(kept.sums, rows * outputs(), at::kInt),
          {rows, outputs()}, at::kInt);
      MultiplyByOneDnn({rows, width, outputs(), type(), false, Finish::kNone},
                       at::from_blob(bytes, {rows, width}, at::kByte), layout_,
                       memory_, at::Tensor(), sums);
      FinishSums(sums, scales, bias, finish, part);
    } else {
      MultiplyByOurs(KernelOf(path, type()), bytes, rows, bias, scales, finish,
                     part);
    }
  }
}

void PreparedMatrix::FinishSums(const at::Tensor& sums, const float* row_scales,
                                const at::Tensor& bias, GemmFinish finish,
                                at::Tensor& y) const {
  const Kernels& kernels = CpuKernels();
  const Int8Epilogue epilogue = {
      column_scales_.data_ptr<float>(), column_sums_.data_ptr<int32_t>(),
      bias.defined() ? bias.data_ptr<float>() : nullptr, outputs()};
  const auto after = finish == GemmFinish::kStore ? kernels.int8_store
                     : finish == GemmFinish::kAdd ? kernels.int8_add
                                                  : kernels.int8_gelu;
  at::parallel_for(
      0, sums.size(0), kInt8RowsPerTask, [&](int64_t begin, int64_t end) {
        after(sums.data_ptr<int32_t>() + begin * outputs(), row_scales + begin,
              end - begin, epilogue, y.data_ptr<float>() + begin * outputs());
      });
}

}  // namespace alignsae
