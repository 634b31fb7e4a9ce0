#include "model/gpt2/linear.h"

#include <ATen/Parallel.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <dnnl.hpp>
#include <map>
#include <new>
#include <unordered_map>

#include "model/gpt2/layers.h"
#include "model/kernels/kernels.h"
#include "model/kernels/small_gemm.h"

namespace alignsae {
namespace {

using Memory = dnnl::memory;

// What follows the product, as oneDNN's post-operations.
enum class Finish { kNone, kAdd, kGeluTanh, kGeluErf, kRelu };

// Rows that the weights' layout is asked for. It suits all other numbers of
// rows: oneDNN chooses it by the shape of the weights.
constexpr int64_t kTypicalRows = 64;
// Primitives kept; each takes some 10 KB.
constexpr size_t kMaxPrimitives = 2048;
// Rows up to which the kernels of our own multiply: above, weights stay in the
// caches long enough for oneDNN to be as fast.
constexpr int64_t kSmallRows = 128;
// Blocks of columns that one thread takes at least there.
constexpr int64_t kBlocksPerTask = 2;
// Rows that one thread takes at least in the passes around an int8 product.
constexpr int64_t kRowsPerTask = 4;

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& ThreadStream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

Memory::data_type SourceType(WeightType type) {
  switch (type) {
    case WeightType::kF32:
      return Memory::data_type::f32;
    case WeightType::kBf16:
      return Memory::data_type::bf16;
    case WeightType::kInt8:
      return Memory::data_type::u8;
  }
  return Memory::data_type::undef;
}

Memory::data_type StoredType(WeightType type) {
  return type == WeightType::kInt8 ? Memory::data_type::s8 : SourceType(type);
}

int ElementBytes(WeightType type) {
  return type == WeightType::kF32 ? 4 : type == WeightType::kBf16 ? 2 : 1;
}

Memory::desc Plain(int64_t rows, int64_t columns, Memory::data_type type) {
  return Memory::desc({rows, columns}, type, Memory::format_tag::ab);
}

Finish FinishOf(Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return Finish::kGeluTanh;
    case Activation::kGeluErf:
      return Finish::kGeluErf;
    case Activation::kRelu:
      return Finish::kRelu;
  }
  return Finish::kNone;
}

dnnl::primitive_attr Attributes(Finish finish) {
  dnnl::post_ops after;
  switch (finish) {
    case Finish::kNone:
      break;
    case Finish::kAdd:
      after.append_sum(1.0f);
      break;
    case Finish::kGeluTanh:
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_tanh, 0, 0);
      break;
    case Finish::kGeluErf:
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
      break;
    case Finish::kRelu:
      after.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, 0, 0);
      break;
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  return attributes;
}

struct Problem {
  int64_t rows = 0;
  int64_t inputs = 0;
  int64_t outputs = 0;
  WeightType type = WeightType::kF32;
  bool bias = false;
  Finish finish = Finish::kNone;

  auto operator<=>(const Problem&) const = default;

  Memory::data_type output_type() const {
    if (type == WeightType::kInt8) return Memory::data_type::s32;
    const bool activated = finish != Finish::kNone && finish != Finish::kAdd;
    return activated ? SourceType(type) : Memory::data_type::f32;
  }
};

dnnl::matmul::primitive_desc Describe(const Problem& problem,
                                      const Memory::desc& weights) {
  const Memory::desc source =
      Plain(problem.rows, problem.inputs, SourceType(problem.type));
  const Memory::desc output =
      Plain(problem.rows, problem.outputs, problem.output_type());
  const dnnl::primitive_attr attributes = Attributes(problem.finish);
  if (!problem.bias) {
    return {dnnl::matmul::desc(source, weights, output), attributes,
            CpuEngine()};
  }
  const Memory::desc bias = Plain(1, problem.outputs, Memory::data_type::f32);
  return {dnnl::matmul::desc(source, weights, bias, output), attributes,
          CpuEngine()};
}

// The primitive for `problem`. Kept for each thread: a primitive's scratch
// memory is its own.
const dnnl::matmul& PrimitiveFor(const Problem& problem,
                                 const Memory::desc& weights) {
  thread_local std::map<Problem, dnnl::matmul> primitives;
  auto found = primitives.find(problem);
  if (found == primitives.end()) {
    if (primitives.size() >= kMaxPrimitives) primitives.clear();
    found =
        primitives.emplace(problem, dnnl::matmul(Describe(problem, weights)))
            .first;
  }
  return found->second;
}

Memory View(const Memory::desc& shape, const at::Tensor& tensor) {
  return Memory(shape, CpuEngine(), tensor.data_ptr());
}

// Memory that is read from end to end in every step, in large pages where the
// system grants them: the processor's prefetchers stop at the end of a page.
at::Tensor StreamedMemory(int64_t bytes) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  if (bytes < kHugePage / 2) return at::empty({bytes}, at::kByte);
  const int64_t padded = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, padded);
  if (memory == nullptr) throw std::bad_alloc();
  madvise(memory, padded, MADV_HUGEPAGE);  // A wish: failure changes nothing.
  return at::from_blob(
      memory, {bytes}, [](void* block) { std::free(block); }, at::kByte);
}

// Each column's largest magnitude becomes 127.
at::Tensor ColumnScales(const at::Tensor& weight) {
  return weight.abs().amax(0).div(127).clamp_min(1e-30).contiguous();  // [O]
}

}  // namespace

struct Linear::Packed {
  WeightType type = WeightType::kF32;
  int64_t inputs = 0;
  int64_t outputs = 0;
  Memory::desc layout;
  at::Tensor memory;  // Bytes of the weights in `layout`.
  // Int8 only.
  at::Tensor column_scales;  // [O] float32
  at::Tensor column_sums;    // [O] int32
  GemmKernel small_kernel = nullptr;

  Packed(const at::Tensor& weight, bool bias, WeightType weight_type)
      : type(weight_type), inputs(weight.size(0)), outputs(weight.size(1)) {
    const Memory::desc any({inputs, outputs}, StoredType(type),
                           Memory::format_tag::any);
    const Problem typical = {
        kTypicalRows, inputs, outputs, type, type != WeightType::kInt8 && bias,
        Finish::kNone};
    layout = Describe(typical, any).weights_desc();
    memory = StreamedMemory(static_cast<int64_t>(layout.get_size()));
    if (type == WeightType::kInt8) {
      column_scales = ColumnScales(weight);
      const at::Tensor rounded =
          weight.div(column_scales).round().to(at::kChar).contiguous();
      column_sums = rounded.sum({0}, false, at::kInt).contiguous();
      Reorder(rounded, Memory::data_type::s8);
    } else {
      Reorder(weight, Memory::data_type::f32);
    }
    small_kernel = FindSmallKernel();
  }

  // Also converts. `plain` may have any strides (a tied head is transposed).
  void Reorder(const at::Tensor& plain, Memory::data_type from) {
    const Memory::desc shape({inputs, outputs}, from,
                             {plain.stride(0), plain.stride(1)});
    Memory source = View(shape, plain);
    Memory target = View(layout, memory);
    dnnl::reorder(source, target).execute(ThreadStream(), source, target);
    ThreadStream().wait();
  }

  void Multiply(const at::Tensor& x, const at::Tensor& bias, Finish finish,
                at::Tensor& y) const {
    const Problem problem = {x.size(0), inputs,         outputs,
                             type,      bias.defined(), finish};
    const dnnl::matmul& primitive = PrimitiveFor(problem, layout);
    std::unordered_map<int, Memory> arguments = {
        {DNNL_ARG_SRC, View(Plain(x.size(0), inputs, SourceType(type)), x)},
        {DNNL_ARG_WEIGHTS, View(layout, memory)},
        {DNNL_ARG_DST,
         View(Plain(x.size(0), outputs, problem.output_type()), y)}};
    if (bias.defined()) {
      arguments.emplace(DNNL_ARG_BIAS,
                        View(Plain(1, outputs, Memory::data_type::f32), bias));
    }
    primitive.execute(ThreadStream(), arguments);
    ThreadStream().wait();
  }

  // The kernel for a few rows; null where oneDNN chose another layout than the
  // kernels read, or the machine has none.
  GemmKernel FindSmallKernel() const {
    Memory::format_tag tag = Memory::format_tag::undef;
    GemmKernel kernel = nullptr;
    switch (type) {
      case WeightType::kF32:
        tag = Memory::format_tag::BA16a64b;
        kernel = SmallGemm().f32;
        break;
      case WeightType::kBf16:
        tag = Memory::format_tag::BA16a64b2a;
        kernel = SmallGemm().bf16;
        break;
      case WeightType::kInt8:
        tag = Memory::format_tag::BA16a64b4a;
        kernel = SmallGemm().int8;
        break;
    }
    const Memory::desc expected({inputs, outputs}, StoredType(type), tag);
    const bool whole = layout.data.padded_dims[0] == inputs;
    return whole && layout == expected ? kernel : nullptr;
  }

  bool UsesSmallKernel(int64_t rows) const {
    return small_kernel != nullptr && rows <= kSmallRows;
  }

  // y = finish(x W + bias) by the small kernel. x [N, I] as the kernel takes
  // it.
  void MultiplySmall(const at::Tensor& x, const at::Tensor& bias,
                     const float* row_scales, GemmFinish finish,
                     at::Tensor& y) const {
    const int64_t blocks = (outputs + kColumnBlock - 1) / kColumnBlock;
    const int64_t block_bytes =
        inputs * kColumnBlock * static_cast<int64_t>(ElementBytes(type));
    at::parallel_for(
        0, blocks, kBlocksPerTask, [&](int64_t begin, int64_t end) {
          const int64_t column = begin * kColumnBlock;
          GemmTask task;
          task.x = x.data_ptr();
          task.rows = x.size(0);
          task.inputs = inputs;
          task.blocks = memory.data_ptr<uint8_t>() + begin * block_bytes;
          task.columns = std::min(end * kColumnBlock, outputs) - column;
          if (bias.defined()) task.bias = bias.data_ptr<float>() + column;
          if (type == WeightType::kInt8) {
            task.row_scales = row_scales;
            task.column_scales = column_scales.data_ptr<float>() + column;
            task.column_sums = column_sums.data_ptr<int32_t>() + column;
          }
          task.finish = finish;
          if (y.scalar_type() == at::kFloat) {
            task.y = y.data_ptr<float>() + column;
          } else {
            task.narrow_y =
                reinterpret_cast<Bf16*>(y.data_ptr<at::BFloat16>()) + column;
          }
          task.y_stride = outputs;
          small_kernel(task);
        });
  }

  // Whether what follows a product of so many rows is code of ours.
  bool IsOurs(int64_t rows) const {
    return type == WeightType::kInt8 || UsesSmallKernel(rows);
  }

  // y = finish(x W + bias), y of the type that fits `finish`.
  void Run(const at::Tensor& x, const at::Tensor& bias, Finish finish,
           at::Tensor& y) const {
    const GemmFinish ours = finish == Finish::kNone  ? GemmFinish::kStore
                            : finish == Finish::kAdd ? GemmFinish::kAdd
                                                     : GemmFinish::kGelu;
    if (type == WeightType::kInt8) {
      MultiplyInt8(x, bias, ours, y);
    } else if (UsesSmallKernel(x.size(0))) {
      MultiplySmall(x, bias, nullptr, ours, y);
    } else {
      Multiply(x, bias, finish, y);
    }
  }

  void MultiplyInt8(const at::Tensor& x, const at::Tensor& bias,
                    GemmFinish finish, at::Tensor& y) const {
    const Kernels& kernels = CpuKernels();
    const int64_t rows = x.size(0);
    const at::Tensor bytes = at::empty({rows, inputs}, at::kByte);
    const at::Tensor scales = at::empty({rows}, at::kFloat);
    at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
      kernels.quantize(x.data_ptr<float>() + begin * inputs, end - begin,
                       inputs, bytes.data_ptr<uint8_t>() + begin * inputs,
                       scales.data_ptr<float>() + begin);
    });
    if (UsesSmallKernel(rows)) {
      MultiplySmall(bytes, bias, scales.data_ptr<float>(), finish, y);
      return;
    }
    at::Tensor sums = at::empty({rows, outputs}, at::kInt);
    Multiply(bytes, at::Tensor(), Finish::kNone, sums);
    const Int8Epilogue epilogue = {
        column_scales.data_ptr<float>(), column_sums.data_ptr<int32_t>(),
        bias.defined() ? bias.data_ptr<float>() : nullptr, outputs};
    const auto after = finish == GemmFinish::kStore ? kernels.int8_store
                       : finish == GemmFinish::kAdd ? kernels.int8_add
                                                    : kernels.int8_gelu;
    at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
      after(sums.data_ptr<int32_t>() + begin * outputs,
            scales.data_ptr<float>() + begin, end - begin, epilogue,
            y.data_ptr<float>() + begin * outputs);
    });
  }
};

Linear::Linear(const at::Tensor& weight, const at::Tensor& bias,
               WeightType type)
    : bias_(bias.defined() ? bias.contiguous() : bias) {
  if (weight.is_cpu()) {
    packed_ = std::make_shared<const Packed>(weight, bias.defined(), type);
  } else {
    weight_ = weight;
  }
}

at::ScalarType Linear::input_type() const {
  return packed_ != nullptr && packed_->type == WeightType::kBf16
             ? at::kBFloat16
             : at::kFloat;
}

at::Tensor Linear::Apply(const at::Tensor& x) const {
  if (packed_ == nullptr) {
    return bias_.defined() ? at::addmm(bias_, x, weight_) : at::mm(x, weight_);
  }
  at::Tensor y = at::empty({x.size(0), packed_->outputs}, at::kFloat);
  if (x.size(0) > 0) packed_->Run(x, bias_, Finish::kNone, y);
  return y;
}

at::Tensor Linear::ApplyActivated(const at::Tensor& x,
                                  Activation activation) const {
  const Finish finish = FinishOf(activation);
  // The kernels of our own have the tanh form only.
  const bool apart = packed_ == nullptr || (packed_->IsOurs(x.size(0)) &&
                                            finish != Finish::kGeluTanh);
  if (apart) return Activate(Apply(x), activation).to(input_type());
  at::Tensor y = at::empty({x.size(0), packed_->outputs}, input_type());
  packed_->Run(x, bias_, finish, y);
  return y;
}

void Linear::AddTo(const at::Tensor& x, at::Tensor& sum) const {
  if (packed_ == nullptr) {
    sum.add_(Apply(x));
  } else {
    packed_->Run(x, bias_, Finish::kAdd, sum);
  }
}

int64_t Linear::bytes() const {
  return packed_ != nullptr ? packed_->memory.nbytes() : weight_.nbytes();
}

}  // namespace alignsae
