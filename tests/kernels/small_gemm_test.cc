#include "model/kernels/small_gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "model/base/counter_rng.h"

namespace alignsae {
namespace {

std::vector<float> RandomRows(size_t count, uint64_t seed) {
  CounterRng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = static_cast<float>(2 * rng.NextUniform() - 1);
  }
  return values;
}

Bf16 Narrow(float x) {
  Bf16 y = 0;
  CpuKernels().to_bf16(&x, 1, &y);
  return y;
}
float Wide(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// W [I, O] in blocks of `width` columns, `group` inputs side by side.
template <typename W, typename Of>
std::vector<W> Blocks(int inputs, int outputs, int group, Of of,
                      int width = kColumnBlock) {
  const int blocks = (outputs + width - 1) / width;
  std::vector<W> packed(static_cast<size_t>(blocks) * inputs * width);
  for (int i = 0; i < inputs; ++i) {
    for (int o = 0; o < outputs; ++o) {
      const size_t at =
          (static_cast<size_t>(o / width) * inputs / group + i / group) *
              width * group +
          o % width * group + i % group;
      packed[at] = of(i, o);
    }
  }
  return packed;
}

// One product: shape, operands as numbers, and what it should give.
struct Product {
  int rows, inputs, outputs;
  std::vector<float> x, w, bias, before;

  Product(int m, int i, int o)
      : rows(m),
        inputs(i),
        outputs(o),
        x(RandomRows(static_cast<size_t>(m) * i, 1)),
        w(RandomRows(static_cast<size_t>(i) * o, 2)),
        bias(RandomRows(o, 3)),
        before(RandomRows(static_cast<size_t>(m) * o, 4)) {}

  double Expected(int m, int o, GemmFinish finish) const {
    double y = bias[o];
    for (int i = 0; i < inputs; ++i) {
      y += static_cast<double>(x[m * inputs + i]) * w[i * outputs + o];
    }
    if (finish == GemmFinish::kAdd) return y + before[m * outputs + o];
    if (finish == GemmFinish::kStore) return y;
    const double inner =
        std::sqrt(2 / std::acos(-1.0)) * (y + 0.044715 * y * y * y);
    return 0.5 * y * (1 + std::tanh(inner));
  }

  GemmTask Task(GemmFinish finish, std::vector<float>& y) const {
    y = before;
    GemmTask task;
    task.rows = rows;
    task.inputs = inputs;
    task.columns = outputs;
    task.after = before.data();  // Is fetched, and changes nothing.
    task.bias = bias.data();
    task.finish = finish;
    task.y = y.data();
    task.y_stride = outputs;
    return task;
  }

  void Check(const std::vector<float>& y, GemmFinish finish,
             double tolerance) const {
    for (int m = 0; m < rows; ++m) {
      for (int o = 0; o < outputs; ++o) {
        ASSERT_NEAR(y[m * outputs + o], Expected(m, o, finish), tolerance)
            << rows << "x" << inputs << "x" << outputs << " at " << m << ", "
            << o;
      }
    }
  }
};

// Every remainder of rows, one block and several, a last one that is not whole,
// and more inputs than fit into one chunk (1024 words).
std::vector<Product> Products() {
  return {Product(1, 64, 64),   Product(2, 128, 130), Product(3, 64, 7),
          Product(4, 192, 64),  Product(5, 64, 200),  Product(6, 1088, 70),
          Product(13, 64, 128), Product(128, 64, 96), Product(7, 4160, 65)};
}

// The same, and numbers of rows around those of one and two tiles, and more
// than are multiplied at once.
std::vector<Product> ProductsForTiles() {
  std::vector<Product> products = Products();
  for (int rows : {8, 15, 16, 17, 31, 32, 33, 47, 49, 100}) {
    products.emplace_back(rows, 128, 81);
  }
  products.emplace_back(490, 1088, 7);
  return products;
}

// The same, and inputs that only these take.
std::vector<Product> ProductsForAvx2() {
  std::vector<Product> products = ProductsForTiles();
  products.emplace_back(5, 4, 1);
  products.emplace_back(7, 100, 33);
  return products;
}

struct Kernel {
  const char* name;
  GemmKernel run;  // Null where the machine lacks the instructions.
  std::vector<Product> (*products)();
  int width = kColumnBlock;  // Of a block of columns.
};
const Kernel kF32Kernels[] = {
    {"vectors", SmallGemm().f32, Products},
    {"avx2", SmallGemm().f32_avx2, ProductsForAvx2, kNarrowColumnBlock}};
const Kernel kBf16Kernels[] = {
    {"vectors", SmallGemm().bf16, Products},
    {"tiles", SmallGemm().bf16_tiles, ProductsForTiles},
    {"avx2", SmallGemm().bf16_avx2, ProductsForAvx2, kNarrowColumnBlock}};
const Kernel kInt8Kernels[] = {
    {"vectors", SmallGemm().int8, Products},
    {"tiles", SmallGemm().int8_tiles, ProductsForTiles},
    {"avx2", SmallGemm().int8_avx2, ProductsForAvx2, kNarrowColumnBlock}};

// Those of `kernels` that this machine runs.
template <size_t N>
std::vector<Kernel> Runnable(const Kernel (&kernels)[N]) {
  std::vector<Kernel> runnable;
  for (const Kernel& kernel : kernels) {
    if (kernel.run != nullptr) runnable.push_back(kernel);
  }
  return runnable;
}

constexpr GemmFinish kFinishes[] = {GemmFinish::kStore, GemmFinish::kAdd,
                                    GemmFinish::kGelu};

TEST(SmallGemmTest, F32EqualsItsFormula) {
  const std::vector<Kernel> kernels = Runnable(kF32Kernels);
  if (kernels.empty()) GTEST_SKIP() << "needs AVX2 or AVX-512";
  for (const Kernel& kernel : kernels) {
    SCOPED_TRACE(kernel.name);
    for (const Product& p : kernel.products()) {
      const auto blocks = Blocks<float>(
          p.inputs, p.outputs, 1,
          [&](int i, int o) { return p.w[i * p.outputs + o]; }, kernel.width);
      for (GemmFinish finish : kFinishes) {
        std::vector<float> y;
        GemmTask task = p.Task(finish, y);
        task.x = p.x.data();
        task.blocks = blocks.data();
        kernel.run(task);
        p.Check(y, finish, 1e-3);
      }
    }
  }
}

void CheckBf16(const Kernel& kernel, Product p) {
  std::vector<Bf16> x;
  for (float& value : p.x) {
    x.push_back(Narrow(value));
    value = Wide(x.back());
  }
  for (float& value : p.w) value = Wide(Narrow(value));
  const auto blocks = Blocks<Bf16>(
      p.inputs, p.outputs, 2,
      [&](int i, int o) { return Narrow(p.w[i * p.outputs + o]); },
      kernel.width);
  for (GemmFinish finish : kFinishes) {
    std::vector<float> y;
    GemmTask task = p.Task(finish, y);
    task.x = x.data();
    task.blocks = blocks.data();
    kernel.run(task);
    p.Check(y, finish, 1e-3);
    if (finish == GemmFinish::kAdd) continue;
    std::vector<Bf16> narrow(y.size());
    task.y = nullptr;
    task.narrow_y = narrow.data();
    kernel.run(task);
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(narrow[i], Narrow(y[i]));
  }
}

TEST(SmallGemmTest, Bf16EqualsItsFormulaOverTheRoundedNumbers) {
  const std::vector<Kernel> kernels = Runnable(kBf16Kernels);
  if (kernels.empty()) GTEST_SKIP() << "needs AVX2 or AVX-512 bfloat16";
  for (const Kernel& kernel : kernels) {
    SCOPED_TRACE(kernel.name);
    for (const Product& p : kernel.products()) CheckBf16(kernel, p);
  }
}

// Operands of an int8 product and what they stand for.
struct Int8Product {
  Product p;  // Of the rounded numbers.
  std::vector<uint8_t> x;
  std::vector<float> row_scales, column_scales;
  std::vector<int32_t> column_sums;
  std::vector<int8_t> blocks, narrow_blocks;

  explicit Int8Product(const Product& of)
      : p(of),
        x(of.x.size()),
        row_scales(of.rows),
        column_scales(of.outputs),
        column_sums(of.outputs) {
    CpuKernels().quantize(p.x.data(), p.rows, p.inputs, x.data(),
                          row_scales.data());
    for (size_t i = 0; i < x.size(); ++i) {
      p.x[i] = static_cast<float>(x[i] - 128) * row_scales[i / p.inputs];
    }
    for (int o = 0; o < p.outputs; ++o) {
      column_scales[o] = 0.005f + 0.0001f * static_cast<float>(o % 7);
    }
    const auto rounded = [&](int i, int o) {
      return static_cast<int8_t>(
          std::round(of.w[i * of.outputs + o] * 0.6f / column_scales[o]));
    };
    blocks = Blocks<int8_t>(p.inputs, p.outputs, 4, rounded);
    narrow_blocks =
        Blocks<int8_t>(p.inputs, p.outputs, 4, rounded, kNarrowColumnBlock);
    for (int i = 0; i < p.inputs; ++i) {
      for (int o = 0; o < p.outputs; ++o) {
        column_sums[o] += rounded(i, o);
        p.w[i * p.outputs + o] =
            static_cast<float>(rounded(i, o)) * column_scales[o];
      }
    }
  }

  std::vector<float> Run(const Kernel& kernel, GemmFinish finish) const {
    std::vector<float> y;
    GemmTask task = TaskFor(kernel, finish, y);
    kernel.run(task);
    return y;
  }

  // One row alone, stored.
  std::vector<float> RunRow(const Kernel& kernel, int row) const {
    std::vector<float> y;
    GemmTask task = TaskFor(kernel, GemmFinish::kStore, y);
    task.rows = 1;
    task.x = x.data() + static_cast<ptrdiff_t>(row) * p.inputs;
    task.row_scales = row_scales.data() + row;
    kernel.run(task);
    y.resize(p.outputs);
    return y;
  }

 private:
  GemmTask TaskFor(const Kernel& kernel, GemmFinish finish,
                   std::vector<float>& y) const {
    GemmTask task = p.Task(finish, y);
    task.x = x.data();
    task.blocks =
        kernel.width == kColumnBlock ? blocks.data() : narrow_blocks.data();
    task.row_scales = row_scales.data();
    task.column_scales = column_scales.data();
    task.column_sums = column_sums.data();
    return task;
  }
};

TEST(SmallGemmTest, Int8EqualsItsFormulaOverTheRoundedNumbers) {
  const std::vector<Kernel> kernels = Runnable(kInt8Kernels);
  if (kernels.empty()) GTEST_SKIP() << "needs AVX2 or AVX-512 VNNI";
  for (const Kernel& kernel : kernels) {
    SCOPED_TRACE(kernel.name);
    for (const Product& plain : kernel.products()) {
      const Int8Product product(plain);
      for (GemmFinish finish : kFinishes) {
        product.p.Check(product.Run(kernel, finish), finish, 1e-3);
      }
    }
  }
}

TEST(SmallGemmTest, Int8HasTheSameBitsByEveryKernel) {
  const std::vector<Kernel> kernels = Runnable(kInt8Kernels);
  if (kernels.size() < 2) GTEST_SKIP() << "needs AVX-512 VNNI";
  for (const Product& plain : Products()) {
    const Int8Product product(plain);
    for (GemmFinish finish : {GemmFinish::kStore, GemmFinish::kAdd}) {
      const std::vector<float> first = product.Run(kernels[0], finish);
      for (size_t i = 1; i < kernels.size(); ++i) {
        EXPECT_EQ(product.Run(kernels[i], finish), first) << kernels[i].name;
      }
    }
  }
}

// `element`: bytes of a number of x.
void CheckRowsAlone(GemmKernel kernel, const Product& p, GemmTask task,
                    int element) {
  std::vector<float> all(p.before.size());
  task.y = all.data();
  task.y_stride = p.outputs;
  kernel(task);
  const char* x = static_cast<const char*>(task.x);
  for (int row = 0; row < p.rows; ++row) {
    std::vector<float> alone(p.outputs);
    GemmTask one = task;
    one.rows = 1;
    one.x = x + static_cast<ptrdiff_t>(row) * p.inputs * element;
    one.y = alone.data();
    kernel(one);
    for (int o = 0; o < p.outputs; ++o) {
      ASSERT_EQ(alone[o], all[row * p.outputs + o]) << row << ", " << o;
    }
  }
}

TEST(SmallGemmTest, RowGetsTheSameBitsWithAnyOtherRows) {
  const std::vector<Kernel> bf16 = Runnable(kBf16Kernels);
  const std::vector<Kernel> int8 = Runnable(kInt8Kernels);
  if (bf16.empty() && int8.empty()) GTEST_SKIP() << "needs AVX2 or AVX-512";
  const Product p(37, 64, 130);
  std::vector<float> unused;
  GemmTask task = p.Task(GemmFinish::kGelu, unused);
  const auto weight = [&](int i, int o) { return p.w[i * 130 + o]; };
  for (const Kernel& kernel : Runnable(kF32Kernels)) {
    SCOPED_TRACE(kernel.name);
    const auto blocks = Blocks<float>(64, 130, 1, weight, kernel.width);
    task.x = p.x.data();
    task.blocks = blocks.data();
    CheckRowsAlone(kernel.run, p, task, 4);
  }
  std::vector<Bf16> x(p.x.size());
  CpuKernels().to_bf16(p.x.data(), static_cast<int64_t>(x.size()), x.data());
  for (const Kernel& kernel : bf16) {
    SCOPED_TRACE(kernel.name);
    const auto narrow = Blocks<Bf16>(
        64, 130, 2, [&](int i, int o) { return Narrow(weight(i, o)); },
        kernel.width);
    task.x = x.data();
    task.blocks = narrow.data();
    CheckRowsAlone(kernel.run, p, task, 2);
  }
  const Int8Product product(p);
  for (const Kernel& kernel : int8) {
    SCOPED_TRACE(kernel.name);
    const std::vector<float> all = product.Run(kernel, GemmFinish::kStore);
    for (int row = 0; row < p.rows; ++row) {
      EXPECT_EQ(product.RunRow(kernel, row),
                std::vector<float>(all.begin() + row * p.outputs,
                                   all.begin() + (row + 1) * p.outputs));
    }
  }
}

}  // namespace
}  // namespace alignsae
