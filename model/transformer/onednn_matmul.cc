#include "model/transformer/onednn_matmul.h"

#include <map>
#include <unordered_map>

namespace alignsae {
namespace {

using Memory = dnnl::memory;

// Primitives kept; each takes some 10 KB.
constexpr size_t kMaxPrimitives = 2048;

const dnnl::engine& CpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& ThreadStream() {
  thread_local dnnl::stream stream(CpuEngine());
  return stream;
}

Memory::desc Plain(int64_t rows, int64_t columns, Memory::data_type type) {
  return Memory::desc({rows, columns}, type, Memory::format_tag::ab);
}

dnnl::primitive_attr Attributes(Finish finish) {
  using dnnl::algorithm;
  dnnl::post_ops after;
  const auto activate = [&after](algorithm function, float alpha = 0) {
    after.append_eltwise(1.0f, function, alpha, 0);
  };
  switch (finish) {
    case Finish::kNone:
      break;
    case Finish::kAdd:
      after.append_sum(1.0f);
      break;
    case Finish::kGeluTanh:
      activate(algorithm::eltwise_gelu_tanh);
      break;
    case Finish::kGeluErf:
      activate(algorithm::eltwise_gelu_erf);
      break;
    case Finish::kRelu:
      activate(algorithm::eltwise_relu);
      break;
    case Finish::kSilu:
      activate(algorithm::eltwise_swish, 1);
      break;
    case Finish::kQuickGelu:
      activate(algorithm::eltwise_swish, static_cast<float>(kQuickGeluSlope));
      break;
    case Finish::kTanh:
      activate(algorithm::eltwise_tanh);
      break;
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  return attributes;
}

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

Memory::data_type TypeOf(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kChar ? Memory::data_type::s8
                                           : Memory::data_type::f32;
}

}  // namespace

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

bool OneDnnHasTiles() {
  static const bool has =
      dnnl::get_effective_cpu_isa() == dnnl::cpu_isa::avx512_core_amx;
  return has;
}

Finish FinishOf(Activation activation) {
  switch (activation) {
    case Activation::kGeluTanh:
      return Finish::kGeluTanh;
    case Activation::kGeluErf:
      return Finish::kGeluErf;
    case Activation::kRelu:
      return Finish::kRelu;
    case Activation::kSilu:
      return Finish::kSilu;
    case Activation::kQuickGelu:
      return Finish::kQuickGelu;
    case Activation::kTanh:
      return Finish::kTanh;
  }
  return Finish::kNone;
}

Memory::data_type Problem::output_type() const {
  if (type == WeightType::kInt8) return Memory::data_type::s32;
  const bool activated = finish != Finish::kNone && finish != Finish::kAdd;
  return activated ? SourceType(type) : Memory::data_type::f32;
}

Memory::desc PreferredLayout(const Problem& problem) {
  const Memory::desc any({problem.inputs, problem.outputs},
                         StoredType(problem.type), Memory::format_tag::any);
  return Describe(problem, any).weights_desc();
}

void Repack(const at::Tensor& plain, const Memory::desc& layout,
            const at::Tensor& packed) {
  const Memory::desc shape({plain.size(0), plain.size(1)}, TypeOf(plain),
                           {plain.stride(0), plain.stride(1)});
  Memory source = View(shape, plain);
  Memory target = View(layout, packed);
  dnnl::reorder(source, target).execute(ThreadStream(), source, target);
  ThreadStream().wait();
}

void MultiplyByOneDnn(const Problem& problem, const at::Tensor& x,
                      const Memory::desc& layout, const at::Tensor& packed,
                      const at::Tensor& bias, at::Tensor& y) {
  const dnnl::matmul& primitive = PrimitiveFor(problem, layout);
  std::unordered_map<int, Memory> arguments = {
      {DNNL_ARG_SRC,
       View(Plain(problem.rows, problem.inputs, SourceType(problem.type)), x)},
      {DNNL_ARG_WEIGHTS, View(layout, packed)},
      {DNNL_ARG_DST,
       View(Plain(problem.rows, problem.outputs, problem.output_type()), y)}};
  if (problem.bias) {
    arguments.emplace(
        DNNL_ARG_BIAS,
        View(Plain(1, problem.outputs, Memory::data_type::f32), bias));
  }
  primitive.execute(ThreadStream(), arguments);
  ThreadStream().wait();
}

}  // namespace alignsae
