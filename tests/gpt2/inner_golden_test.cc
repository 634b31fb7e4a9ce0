// The hook points inside a block against Hugging Face transformers: what is
// seen there, and what an edit does. tests/golden/make_inner_golden.py writes
// the files.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/gpt2/gpt2.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_device.h"

namespace alignsae {
namespace {

constexpr double kInnerTolerance = 1e-4;
constexpr int kEditedBlock = 1;
constexpr HookKind kInnerKinds[] = {HookKind::kAttnOut, HookKind::kResidMid,
                                    HookKind::kMlpOut};

class InnerHook : public ResidualHook {
 public:
  using See =
      std::function<void(const HookPoint&, const PackedRow&, at::Tensor& part)>;
  explicit InnerHook(See see) : see_(std::move(see)) {}
  void OnResidual(int, absl::Span<const PackedRow>, at::Tensor&) override {}
  bool WantsSite(int) const override { return false; }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& part) override {
    ASSERT_EQ(rows.size(), 1u);
    see_(hook, rows[0], part);
  }
  bool WantsInside(int layer) const override { return true; }

 private:
  const See see_;
};

class InnerGoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string directory =
        absl::StrCat(ALIGNSAE_SOURCE_DIR, "/tests/golden/gpt2/", GetParam());
    ASSERT_OK_AND_ASSIGN(Gpt2 model, Gpt2::Load(directory, TestDevice()));
    model_.emplace(std::move(model));
    ASSERT_OK_AND_ASSIGN(
        const SafetensorsFile expected,
        SafetensorsFile::Open(directory + "/expected.safetensors"));
    const TensorEntry* ids = expected.Find("input_ids");
    std::vector<int64_t> wide((ids->end - ids->begin) / sizeof(int64_t));
    ASSERT_OK(
        expected.ReadBytes(*ids, 0,
                           absl::MakeSpan(reinterpret_cast<char*>(wide.data()),
                                          wide.size() * sizeof(int64_t))));
    tokens_.assign(wide.begin(), wide.end());
    ASSERT_OK_AND_ASSIGN(
        const SafetensorsFile inner,
        SafetensorsFile::Open(directory + "/inner.safetensors"));
    const int64_t layers = model_->config().n_layer;
    const int64_t width = model_->config().d_model;
    const int64_t length = static_cast<int64_t>(tokens_.size());
    for (const HookKind kind : kInnerKinds) {
      ASSERT_OK_AND_ASSIGN(
          seen_[static_cast<int>(kind)],
          ReadFloatTensor(inner, std::string(HookKindName(kind)),
                          {layers, length, width}));
    }
    ASSERT_OK_AND_ASSIGN(edit_, ReadFloatTensor(inner, "edit", {width}));
    ASSERT_OK_AND_ASSIGN(
        edited_, ReadFloatTensor(inner, "edited",
                                 {3, int64_t{model_->config().vocab_size}}));
  }

  // Logits of the last token; the prompt is fed `step` tokens at a time.
  at::Tensor Run(int step, ResidualHook* hook) const {
    KvCache cache(model_->facts(), 1, TestDevice());
    at::Tensor logits;
    for (size_t start = 0; start < tokens_.size();) {
      const size_t count = std::min<size_t>(step, tokens_.size() - start);
      PackedRow row;
      row.start = static_cast<int>(start);
      row.length = static_cast<int>(count);
      row.exit_site = model_->config().n_layer;
      row.logits = 1;
      logits = model_->Forward(absl::MakeSpan(tokens_).subspan(start, count),
                               {row}, cache, hook);
      start += count;
    }
    return logits[0].cpu();
  }
  static double Most(const at::Tensor& a, const at::Tensor& b) {
    return (a.cpu() - b).abs().max().item<double>();
  }

  std::optional<Gpt2> model_;
  std::vector<int32_t> tokens_;
  at::Tensor seen_[kHookKinds.size()];  // By kind, [L, T, D].
  at::Tensor edit_, edited_;
};

TEST_P(InnerGoldenTest, PartsAgreeInEveryBlockWholeAndInPieces) {
  for (const int step : {1000, 3}) {
    int seen = 0;
    InnerHook hook([&](const HookPoint& at, const PackedRow& row,
                       at::Tensor& part) {
      ++seen;
      EXPECT_LT(Most(part, seen_[static_cast<int>(at.kind)][at.layer].narrow(
                               0, row.start, row.length)),
                kInnerTolerance)
          << at.ToString() << " from " << row.start;
    });
    Run(step, &hook);
    const int steps = (static_cast<int>(tokens_.size()) + step - 1) / step;
    EXPECT_EQ(seen, 3 * model_->config().n_layer * steps);
  }
}

TEST_P(InnerGoldenTest, AnEditDoesWhatItDoesThere) {
  const int first = static_cast<int>(tokens_.size()) / 2;
  for (int k = 0; k < 3; ++k) {
    for (const int step : {1000, 4}) {
      InnerHook hook(
          [&](const HookPoint& at, const PackedRow& row, at::Tensor& part) {
            if (at.kind != kInnerKinds[k] || at.layer != kEditedBlock) return;
            for (int i = 0; i < row.length; ++i) {
              if (row.start + i >= first) {
                part[i].add_(edit_.to(part.device()));
              }
            }
          });
      EXPECT_LT(Most(Run(step, &hook), edited_[k]), kInnerTolerance)
          << HookKindName(kInnerKinds[k]) << ", " << step << " tokens a step";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, InnerGoldenTest,
                         ::testing::Values("default", "bf16_erf",
                                           "inverse_layer_scale"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace alignsae
