// Compares the forward pass with what Hugging Face transformers computed: see
// tests/golden/make_gpt2_golden.py, which writes the files.

#include "tests/support/golden.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "model/transformer/layers.h"
#include "tests/reference/gpt2_reference.h"
#include "tests/support/residual_hooks.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_device.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

constexpr double kTolerance = 1e-4;

std::string Directory(const std::string& name) {
  return GoldenDirectory("gpt2", name);
}

class Gpt2GoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Gpt2 model,
                         Gpt2::Load(Directory(GetParam()), TestDevice()));
    ASSERT_OK_AND_ASSIGN(golden_,
                         ReadGolden(Directory(GetParam()), model.facts()));
    ASSERT_OK_AND_ASSIGN(
        weights_, LoadGpt2Weights(Directory(GetParam()), model.config()));
    model_.emplace(std::move(model));
  }

  const Gpt2Config& config() const { return model_->config(); }

  // Logits of the last of `tokens`, [V].
  at::Tensor Step(absl::Span<const int32_t> tokens, int start, KvCache& cache,
                  ResidualHook* hook = nullptr) const {
    return model_
        ->Forward(tokens,
                  {{.kv_slot = 0,
                    .start = start,
                    .length = static_cast<int>(tokens.size()),
                    .exit_site = config().n_layer,
                    .logits = 1}},
                  cache, hook)[0]
        .cpu();
  }

  std::optional<Gpt2> model_;
  Golden golden_;
  Gpt2Weights weights_;
};

double MaxDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST_P(Gpt2GoldenTest, HiddenStatesAgreeAtEverySite) {
  KvCache cache(config().facts(), 1, TestDevice());
  CapturingHook capture;
  Step(golden_.input_ids, 0, cache, &capture);
  for (int site = 0; site <= config().n_layer; ++site) {
    at::Tensor residual = capture.Residual(0, site).cpu();
    if (site == config().n_layer) {
      residual = LayerNorm(residual, weights_.ln_f_weight, weights_.ln_f_bias,
                           config().layer_norm_epsilon);
    }
    EXPECT_LT(MaxDifference(residual, golden_.hidden_states[site]), kTolerance)
        << "site " << site;
  }
}

TEST_P(Gpt2GoldenTest, LogitsAgreeAtEveryPositionTokenByToken) {
  KvCache cache(config().facts(), 1, TestDevice());
  for (int i = 0; i < static_cast<int>(golden_.input_ids.size()); ++i) {
    const at::Tensor logits = Step({&golden_.input_ids[i], 1}, i, cache);
    EXPECT_LT(MaxDifference(logits, golden_.logits[i]), kTolerance)
        << "position " << i;
  }
}

TEST_P(Gpt2GoldenTest, GreedyTextIsIdenticalWithTheCache) {
  KvCache cache(config().facts(), 1, TestDevice());
  std::vector<int32_t> tokens = golden_.input_ids;
  at::Tensor logits = Step(tokens, 0, cache);
  for (int32_t expected : golden_.greedy) {
    ASSERT_EQ(logits.argmax().item<int64_t>(), expected)
        << "at position " << tokens.size();
    tokens.push_back(expected);
    logits =
        Step({&tokens.back(), 1}, static_cast<int>(tokens.size()) - 1, cache);
  }
}

TEST_P(Gpt2GoldenTest, GreedyTextIsIdenticalRecomputedFromTheStart) {
  std::vector<int32_t> tokens = golden_.input_ids;
  for (int32_t expected : golden_.greedy) {
    KvCache cache(config().facts(), 1, TestDevice());
    ASSERT_EQ(Step(tokens, 0, cache).argmax().item<int64_t>(), expected)
        << "at position " << tokens.size();
    tokens.push_back(expected);
  }
}

TEST_P(Gpt2GoldenTest, ScalarReferenceAgrees) {
  const ReferenceGpt2 reference(config(), ParametersOf(weights_));
  const ReferenceGpt2::Result result = reference.Run(golden_.input_ids);
  for (size_t t = 0; t < golden_.input_ids.size(); ++t) {
    const at::Tensor logits = at::tensor(result.logits[t], at::kDouble);
    EXPECT_LT(MaxDifference(logits, golden_.logits[t]), kTolerance)
        << "position " << t;
    for (int site = 0; site <= config().n_layer; ++site) {
      Vector residual = result.residuals[site][t];
      if (site == config().n_layer) residual = reference.FinalNorm(residual);
      EXPECT_LT(MaxDifference(at::tensor(residual, at::kDouble),
                              golden_.hidden_states[site][t]),
                kTolerance)
          << "site " << site << ", position " << t;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Gpt2GoldenTest,
                         ::testing::Values("default", "f16_odd_vocabulary",
                                           "bf16_erf", "inverse_layer_scale",
                                           "separate_head_relu",
                                           "bare_names_unscaled", "deeper"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace alignsae
