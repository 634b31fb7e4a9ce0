// Tensors through the file and back, and that gathers read what they need only.

#include "model/io/tensor_file.h"

#include <ATen/ATen.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

std::string TempPath(const std::string& name) {
  return absl::StrCat(::testing::TempDir(), "/tensor_file_", name);
}

at::Tensor Counting(std::vector<int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return at::arange(count, at::kFloat).reshape(shape);
}

SafetensorsFile WriteAndOpen(
    const std::string& name,
    const std::vector<std::pair<std::string, at::Tensor>>& tensors) {
  const std::string path = TempPath(name);
  EXPECT_OK(WriteTensors(path, tensors, {}));
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(path);
  EXPECT_OK(file);
  return *std::move(file);
}

TEST(TensorFileTest, GivesBackWhatWasWritten) {
  const at::Tensor matrix = Counting({3, 5});
  const SafetensorsFile file =
      WriteAndOpen("roundtrip", {{"m", matrix},
                                 {"scalar", at::scalar_tensor(2.5, at::kFloat)},
                                 {"none", at::empty({0, 4}, at::kFloat)}});
  ASSERT_OK_AND_ASSIGN(at::Tensor m, ReadFloatTensor(file, "m", {3, 5}));
  ASSERT_OK_AND_ASSIGN(at::Tensor scalar, ReadFloatTensor(file, "scalar", {}));
  ASSERT_OK_AND_ASSIGN(at::Tensor none, ReadFloatTensor(file, "none", {0, 4}));
  EXPECT_TRUE(at::equal(m, matrix));
  EXPECT_EQ(scalar.item<float>(), 2.5f);
  EXPECT_EQ(none.sizes(), at::IntArrayRef({0, 4}));
}

TEST(TensorFileTest, WritesTransposedTensorsInRowMajorOrder) {
  const at::Tensor transposed = Counting({3, 5}).t();
  const SafetensorsFile file = WriteAndOpen("strided", {{"t", transposed}});
  ASSERT_OK_AND_ASSIGN(at::Tensor t, ReadFloatTensor(file, "t", {5, 3}));
  EXPECT_TRUE(at::equal(t, transposed));
}

TEST(TensorFileTest, WidensHalfAndBfloat16ToFloatExactly) {
  const float inf = std::numeric_limits<float>::infinity();
  const at::Tensor values =
      at::tensor({0.0f, -0.0f, 1.0f, -2.5f, 65504.0f, 6.1e-5f, inf, -inf});
  const SafetensorsFile file = WriteAndOpen(
      "half", {{"h", values.to(at::kHalf)}, {"b", values.to(at::kBFloat16)}});
  ASSERT_OK_AND_ASSIGN(at::Tensor h, ReadFloatTensor(file, "h", {8}));
  ASSERT_OK_AND_ASSIGN(at::Tensor b, ReadFloatTensor(file, "b", {8}));
  EXPECT_EQ(h.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(h, values.to(at::kHalf).to(at::kFloat)));
  EXPECT_TRUE(at::equal(b, values.to(at::kBFloat16).to(at::kFloat)));
}

TEST(TensorFileTest, NamesTheTensorThatDoesNotFit) {
  const SafetensorsFile file = WriteAndOpen(
      "misfit", {{"m", Counting({3, 5})}, {"d", at::zeros({2}, at::kDouble)}});
  EXPECT_THAT(ReadFloatTensor(file, "x", {3, 5}),
              StatusIs(absl::StatusCode::kNotFound,
                       absl::StrCat(file.path(),
                                    ": tensor \"x\": must be in the file")));
  EXPECT_THAT(
      ReadFloatTensor(file, "m", {5, 3}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("tensor \"m\": must have shape [5, 3], got [3, 5]")));
  EXPECT_THAT(ReadFloatTensor(file, "d", {2}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor \"d\": must have dtype F32, F16 or "
                                 "BF16, got F64")));
}

TEST(TensorFileTest, GathersRowsInTheOrderAsked) {
  const at::Tensor m = Counting({6, 4});
  const SafetensorsFile file =
      WriteAndOpen("rows", {{"m", m}, {"h", m.to(at::kHalf)}});
  const std::vector<int64_t> rows = {5, 0, 0, 3};
  const at::Tensor expected = m.index_select(0, at::tensor(rows));
  ASSERT_OK_AND_ASSIGN(at::Tensor from_f32, ReadRows(file, "m", rows, {6, 4}));
  ASSERT_OK_AND_ASSIGN(at::Tensor from_f16, ReadRows(file, "h", rows, {6, 4}));
  EXPECT_TRUE(at::equal(from_f32, expected));
  EXPECT_TRUE(at::equal(from_f16, expected));
}

TEST(TensorFileTest, GathersColumnsInTheOrderAsked) {
  const at::Tensor m = Counting({4, 9});
  const SafetensorsFile file =
      WriteAndOpen("columns", {{"m", m}, {"b", m.to(at::kBFloat16)}});
  for (const std::vector<int64_t>& columns :
       {std::vector<int64_t>{8}, {0, 1, 2}, {7, 2, 3, 2, 0}, {}}) {
    const at::Tensor expected =
        m.index_select(1, at::tensor(columns, at::kLong));
    ASSERT_OK_AND_ASSIGN(at::Tensor from_f32,
                         ReadColumns(file, "m", columns, {4, 9}));
    ASSERT_OK_AND_ASSIGN(at::Tensor from_bf16,
                         ReadColumns(file, "b", columns, {4, 9}));
    EXPECT_TRUE(at::equal(from_f32, expected));
    EXPECT_TRUE(at::equal(from_bf16, expected));
  }
}

TEST(TensorFileTest, RefusesRowsAndColumnsThatAreNotThere) {
  const SafetensorsFile file =
      WriteAndOpen("outside", {{"m", Counting({3, 5})}, {"v", Counting({5})}});
  EXPECT_THAT(ReadRows(file, "m", {0, 3}, {3, 5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor \"m\": row: must be in [0, 3), got "
                                 "3")));
  EXPECT_THAT(ReadColumns(file, "m", {-1}, {3, 5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor \"m\": column: must be in [0, 5), "
                                 "got -1")));
  EXPECT_THAT(ReadRows(file, "v", {0}, {5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must have 2 dimensions, got [5]")));
  EXPECT_THAT(ReadColumns(file, "v", {0}, {5}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must have 2 dimensions, got [5]")));
}

// Bytes that this process asked the kernel for so far, or -1.
int64_t BytesReadByProcess() {
  std::ifstream io("/proc/self/io");
  std::string key;
  int64_t value = 0;
  while (io >> key >> value) {
    if (key == "rchar:") return value;
  }
  return -1;
}

TEST(TensorFileTest, GathersWithoutReadingTheRestOfTheFile) {
  constexpr int64_t kHeight = 64, kWidth = 20'000;  // 5 MB
  const SafetensorsFile file =
      WriteAndOpen("large", {{"w", at::zeros({kHeight, kWidth}, at::kFloat)}});
  if (BytesReadByProcess() < 0) GTEST_SKIP() << "no /proc/self/io here";
  // What reading the counter itself costs.
  const int64_t before_probe = BytesReadByProcess();
  const int64_t before = BytesReadByProcess();
  const int64_t probe = before - before_probe;
  ASSERT_OK(ReadColumns(file, "w", {19'999, 3, 4, 5}, {kHeight, kWidth}));
  const int64_t after_columns = BytesReadByProcess();
  ASSERT_OK(ReadRows(file, "w", {7}, {kHeight, kWidth}));
  const int64_t after_rows = BytesReadByProcess();
  EXPECT_NEAR(after_columns - before - probe, kHeight * 4 * 4, 16);
  EXPECT_NEAR(after_rows - after_columns - probe, kWidth * 4, 16);
}

TEST(TensorFileTest, RefusesToWriteADtypeThatTheFormatLacks) {
  EXPECT_THAT(WriteTensors(TempPath("complex"),
                           {{"c", at::zeros({2}, at::kComplexDouble)}}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor \"c\": dtype must be one that the "
                                 "file format knows, got ComplexDouble")));
}

}  // namespace
}  // namespace alignsae
