// Variants of one prompt that edit inside a block, as a fork, against Hugging
// Face transformers. tests/golden/make_inner_golden.py says what the arms are.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/bundle/families.h"
#include "model/engine/engine.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_device.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr int kArms = 5;
constexpr int kSteeredTokens = 8;
constexpr int kForkSite = 1;  // All arms edit inside block 1.

struct PlacedEdit {
  HookPoint hook;
  double alpha;
};

const std::vector<PlacedEdit> kArmEdits[kArms] = {
    {},
    {{{HookKind::kAttnOut, 1}, 1}},
    {{{HookKind::kResidMid, 1}, -1}},
    {{{HookKind::kMlpOut, 1}, 1}},
    {{{HookKind::kAttnOut, 1}, -0.5}, {{HookKind::kMlpOut, 1}, 1.5}}};

class ForkGoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string directory = GoldenDirectory("gpt2", GetParam());
    ASSERT_OK_AND_ASSIGN(
        LoadedTransformer loaded,
        LoadTransformer(directory, TestDevice(), WeightType::kF32));
    const TransformerFacts facts = loaded.model->facts();
    ASSERT_OK_AND_ASSIGN(
        const SafetensorsFile expected,
        SafetensorsFile::Open(directory + "/expected.safetensors"));
    ASSERT_OK_AND_ASSIGN(prompt_, ReadGoldenIds(expected, "input_ids"));
    ASSERT_OK_AND_ASSIGN(
        const SafetensorsFile inner,
        SafetensorsFile::Open(directory + "/inner.safetensors"));
    ASSERT_OK_AND_ASSIGN(tokens_, ReadGoldenIds(inner, "steered"));
    ASSERT_EQ(tokens_.size(), static_cast<size_t>(kArms * kSteeredTokens));
    ASSERT_OK_AND_ASSIGN(logprobs_, ReadFloatTensor(inner, "steered_logprobs",
                                                    {kArms, kSteeredTokens}));
    ASSERT_OK_AND_ASSIGN(const at::Tensor edit,
                         ReadFloatTensor(inner, "edit", {facts.d_model}));
    edit_.assign(edit.data_ptr<float>(), edit.data_ptr<float>() + edit.numel());
    ASSERT_OK_AND_ASSIGN(engine_,
                         Engine::Create(TinyBundle({{HookKind::kResidPre, 1}},
                                                   std::move(loaded.model)),
                                        {.kv_slots = kArms}));
  }

  StepRow RowOf(int arm, bool forked) const {
    const int length = static_cast<int>(prompt_.size());
    ResolvedPositions positions;
    for (int i = length / 2; i < length; ++i) positions.prompt.push_back(i);
    positions.generated = true;
    std::vector<Intervention> edits;
    for (const PlacedEdit& placed : kArmEdits[arm]) {
      Intervention edit;
      edit.mode = InterventionMode::kAdd;
      edit.alpha = placed.alpha;
      edit.positions = positions;
      edit.vector = std::make_shared<const SteeringVector>(
          SteeringVector{placed.hook, edit_});
      edits.push_back(std::move(edit));
    }
    StepRow row;
    row.kv_slot = (arm + 2) % kArms;
    row.prompt_length = length;
    row.interventions =
        std::make_shared<const std::vector<Intervention>>(std::move(edits));
    // In the KV slot of its first row.
    if (forked) row.fork = PromptFork{2, kForkSite, length / 2, length};
    return row;
  }

  // What all arms answer when the prompt is fed `chunk` tokens at a time.
  void ExpectGolden(bool forked, int chunk) {
    const int length = static_cast<int>(prompt_.size());
    std::vector<StepRow> rows;
    for (int arm = 0; arm < kArms; ++arm) rows.push_back(RowOf(arm, forked));
    int answered = 0;
    for (int fed = 0; answered < kSteeredTokens;) {
      const int count = fed < length ? std::min(chunk, length - fed) : 1;
      for (int arm = 0; arm < kArms; ++arm) {
        StepRow& row = rows[arm];
        row.start = fed;
        if (fed < length) {
          row.tokens.assign(prompt_.begin() + fed,
                            prompt_.begin() + fed + count);
        } else {
          row.tokens = {tokens_[arm * kSteeredTokens + answered - 1]};
        }
        if (fed + count >= length) row.sampling = SamplingParams();
      }
      const std::vector<RowResult> results = engine_->Step(rows);
      fed += count;
      for (int arm = 0; arm < kArms; ++arm) {
        ASSERT_OK(results[arm].status);
        if (fed < length) continue;
        SCOPED_TRACE(absl::StrCat("arm ", arm, ", token ", answered));
        ASSERT_EQ(results[arm].sampled->token,
                  tokens_[arm * kSteeredTokens + answered]);
        EXPECT_NEAR(results[arm].sampled->logprob,
                    logprobs_[arm][answered].item<float>(), 1e-4);
      }
      if (fed >= length) ++answered;
    }
  }

  std::vector<int32_t> prompt_, tokens_;  // [T], [A, 8]
  at::Tensor logprobs_;                   // [A, 8]
  std::vector<float> edit_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(ForkGoldenTest, ArmsThatEditInsideABlockAnswerAsTransformersDoes) {
  for (const bool forked : {true, false}) {
    for (const int chunk : {1000, 5}) {
      SCOPED_TRACE(
          absl::StrCat(forked ? "forked" : "apart", ", chunks of ", chunk));
      ExpectGolden(forked, chunk);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ForkGoldenTest,
                         ::testing::Values("default", "bf16_erf",
                                           "inverse_layer_scale"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace alignsae
