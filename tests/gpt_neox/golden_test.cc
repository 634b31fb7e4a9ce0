// Compares the forward pass with what Hugging Face transformers computed: see
// tests/golden/make_gpt_neox_golden.py, which writes the files.

#include "tests/support/golden.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/gpt_neox/gpt_neox.h"
#include "model/gpt_neox/weights.h"
#include "model/transformer/layers.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr double kTolerance = 1e-4;

std::string Directory(const std::string& name) {
  return GoldenDirectory("gpt_neox", name);
}

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Keeps what is at every hook point.
class EveryHook : public ResidualHook {
 public:
  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    OnInside({HookKind::kResidPre, site}, rows, residual);
  }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow>,
                at::Tensor& part) override {
    seen[hook] = part.clone();
  }
  bool WantsInside(int) const override { return true; }

  std::map<HookPoint, at::Tensor, PlaceOrder> seen;  // [T, D]
};

class GptNeoXGoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(GptNeoX model, GptNeoX::Load(Directory(GetParam())));
    ASSERT_OK_AND_ASSIGN(golden_,
                         ReadGolden(Directory(GetParam()), model.facts()));
    model_.emplace(std::move(model));
  }

  static PackedRow Row(int slot, int start, int length, int logits) {
    return {.index = slot,
            .kv_slot = slot,
            .start = start,
            .length = length,
            .exit_site = 64,
            .logits = logits};
  }

  KvCache Cache(const GptNeoX& model, int slots) const {
    return KvCache(model.facts(), slots, at::kCPU, model.kv_type());
  }

  // The greedy continuation of the golden's length.
  std::vector<int32_t> Greedy(const GptNeoX& model) const {
    KvCache cache = Cache(model, 1);
    std::vector<int32_t> tokens = golden_.input_ids;
    int start = 0;
    std::vector<int32_t> text;
    while (text.size() < golden_.greedy.size()) {
      const int length = static_cast<int>(tokens.size()) - start;
      const at::Tensor logits =
          model.Forward(absl::MakeSpan(tokens).subspan(start),
                        {Row(0, start, length, 1)}, cache, nullptr);
      start += length;
      text.push_back(logits.argmax().item<int32_t>());
      tokens.push_back(text.back());
    }
    return text;
  }

  std::optional<GptNeoX> model_;
  Golden golden_;
};

TEST_P(GptNeoXGoldenTest, EveryHookPointAndEveryLogitAgrees) {
  KvCache cache = Cache(*model_, 1);
  EveryHook hook;
  const int length = static_cast<int>(golden_.input_ids.size());
  const at::Tensor logits = model_->Forward(
      golden_.input_ids, {Row(0, 0, length, length)}, cache, &hook);
  EXPECT_LT(MaxDifference(logits, golden_.logits), kTolerance);
  const TransformerFacts& facts = model_->facts();
  for (int layer = 0; layer < facts.n_layer; ++layer) {
    // hidden_states[n_layer] is after the last norm: the logits speak for it.
    const at::Tensor& stream = golden_.hidden_states[layer];
    const std::pair<HookKind, at::Tensor> expected[] = {
        {HookKind::kResidPre, stream},
        {HookKind::kAttnOut, golden_.attn_out[layer]},
        {HookKind::kResidMid, stream + golden_.attn_out[layer]},
        {HookKind::kMlpOut, golden_.mlp_out[layer]}};
    for (const auto& [kind, value] : expected) {
      const HookPoint point = {kind, layer};
      if (kind == HookKind::kResidMid && facts.parallel_residual) {
        EXPECT_FALSE(hook.seen.contains(point));
        continue;
      }
      EXPECT_LT(MaxDifference(hook.seen.at(point), value), kTolerance)
          << point.ToString();
    }
  }
}

TEST_P(GptNeoXGoldenTest, LogitsAgreeAtEveryPositionTokenByToken) {
  KvCache cache = Cache(*model_, 1);
  for (int i = 0; i < static_cast<int>(golden_.input_ids.size()); ++i) {
    const at::Tensor logits = model_->Forward(
        {&golden_.input_ids[i], 1}, {Row(0, i, 1, 1)}, cache, nullptr);
    EXPECT_LT(MaxDifference(logits[0], golden_.logits[i]), kTolerance) << i;
  }
}

TEST_P(GptNeoXGoldenTest, GreedyTextIsIdenticalWithTheCache) {
  EXPECT_EQ(Greedy(*model_), golden_.greedy);
}

// Rows at different places of their sequences, in slots out of order, one of
// which leaves the head alone: the last block runs for the others only.
TEST_P(GptNeoXGoldenTest, RowsOfOneStepAreTheRowsAlone) {
  const std::vector<int32_t>& ids = golden_.input_ids;
  const int length = static_cast<int>(ids.size());
  KvCache cache = Cache(*model_, 4);
  model_->Forward({ids.data(), 5}, {Row(3, 0, 5, 0)}, cache, nullptr);
  std::vector<int32_t> tokens(ids.begin() + 5, ids.end());
  tokens.insert(tokens.end(), ids.begin(), ids.begin() + 7);
  tokens.insert(tokens.end(), ids.begin(), ids.begin() + 3);
  const at::Tensor logits = model_->Forward(
      tokens, {Row(3, 5, length - 5, 2), Row(0, 0, 7, 0), Row(1, 0, 3, 1)},
      cache, nullptr);
  ASSERT_EQ(logits.size(0), 3);
  for (int row : {0, 1}) {
    EXPECT_LT(MaxDifference(logits[row], golden_.logits[length - 2 + row]),
              kTolerance);
  }
  EXPECT_LT(MaxDifference(logits[2], golden_.logits[2]), kTolerance);
  // What row 0 left behind is what a next token needs.
  const at::Tensor next =
      model_->Forward({&ids[7], 1}, {Row(0, 7, 1, 1)}, cache, nullptr);
  EXPECT_LT(MaxDifference(next[0], golden_.logits[7]), kTolerance);
}

TEST_P(GptNeoXGoldenTest, OtherNumberTypesAreNearF32) {
  for (WeightType type : {WeightType::kBf16, WeightType::kInt8}) {
    if (!WhyUnsupported(type, "cpu").empty()) continue;
    ASSERT_OK_AND_ASSIGN(const GptNeoX model,
                         GptNeoX::Load(Directory(GetParam()), at::kCPU, type));
    KvCache cache = Cache(model, 1);
    const int length = static_cast<int>(golden_.input_ids.size());
    const at::Tensor logits = model.Forward(
        golden_.input_ids, {Row(0, 0, length, length)}, cache, nullptr);
    const at::Tensor expected = golden_.logits.log_softmax(-1);
    const double kl = (expected.exp() * (expected - logits.log_softmax(-1)))
                          .sum(-1)
                          .mean()
                          .item<double>();
    EXPECT_LT(kl, 0.02) << WeightTypeName(type);
    EXPECT_GT(kl, 1e-9) << WeightTypeName(type);  // It is another type.
  }
}

TEST_P(GptNeoXGoldenTest, UnembedIsTheHeadsMatrixAlone) {
  ASSERT_OK_AND_ASSIGN(
      const GptNeoXWeights weights,
      GptNeoXWeights::Open(Directory(GetParam()), model_->config()));
  ASSERT_OK_AND_ASSIGN(const at::Tensor embedding, weights.Embedding());
  ASSERT_OK_AND_ASSIGN(const NormedMatrix head, weights.Head(embedding));
  const at::Tensor x = at::linspace(-1, 2, 3 * head.weight.size(0))
                           .view({3, head.weight.size(0)});
  const at::Tensor expected = x.matmul(head.weight);  // [3, V]
  const double largest = expected.abs().max().item<double>();
  const auto error = [&](const GptNeoX& model) {
    return MaxDifference(model.Unembed(x), expected) / largest;
  };
  EXPECT_LT(error(*model_), 1e-5);
  ASSERT_OK_AND_ASSIGN(const GptNeoX in_files,
                       GptNeoX::Load(Directory(GetParam()), at::kCPU,
                                     WeightType::kF32, Keep::kInFiles));
  EXPECT_LT(error(in_files), 1e-5);
  ASSERT_OK_AND_ASSIGN(
      const GptNeoX rounded,
      GptNeoX::Load(Directory(GetParam()), at::kCPU, WeightType::kInt8));
  EXPECT_LT(error(rounded), 0.03);
}

INSTANTIATE_TEST_SUITE_P(Models, GptNeoXGoldenTest,
                         ::testing::Values("parallel", "sequential",
                                           "tied_silu"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace alignsae
