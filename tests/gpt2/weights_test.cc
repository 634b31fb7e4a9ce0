#include "model/gpt2/weights.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

#include "model/gpt2/parameters.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

const Gpt2Config kConfig = {.n_layer = 2,
                            .n_head = 2,
                            .d_model = 64,
                            .d_inner = 100,
                            .context_length = 30,
                            .vocab_size = 501};

TEST(Gpt2WeightsTest, EveryParameterHasItsHuggingFaceNameOnce) {
  Gpt2Weights weights = InitGpt2Weights(kConfig, 1);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : weights.Named()) names.push_back(name);
  ASSERT_EQ(names.size(), 2 + 12 * 2 + 2);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(),
            names.size());
  names.resize(14);
  EXPECT_THAT(
      names,
      ElementsAre(
          "transformer.wte.weight", "transformer.wpe.weight",
          "transformer.h.0.ln_1.weight", "transformer.h.0.ln_1.bias",
          "transformer.h.0.attn.c_attn.weight",
          "transformer.h.0.attn.c_attn.bias",
          "transformer.h.0.attn.c_proj.weight",
          "transformer.h.0.attn.c_proj.bias", "transformer.h.0.ln_2.weight",
          "transformer.h.0.ln_2.bias", "transformer.h.0.mlp.c_fc.weight",
          "transformer.h.0.mlp.c_fc.bias", "transformer.h.0.mlp.c_proj.weight",
          "transformer.h.0.mlp.c_proj.bias"));
}

TEST(Gpt2WeightsTest, OnlyASeparateHeadIsAParameter) {
  Gpt2Config config = kConfig;
  Gpt2Weights tied = InitGpt2Weights(config, 1);
  EXPECT_TRUE(tied.lm_head.is_same(tied.wte));
  EXPECT_EQ(tied.Named().back().first, "transformer.ln_f.bias");
  config.tie_word_embeddings = false;
  Gpt2Weights separate = InitGpt2Weights(config, 1);
  EXPECT_EQ(separate.Named().back().first, "lm_head.weight");
  EXPECT_FALSE(at::equal(separate.lm_head, separate.wte));
}

TEST(Gpt2WeightsTest, NamedTensorsAreTheWeightsThemselves) {
  Gpt2Weights weights = InitGpt2Weights(kConfig, 1);
  for (auto& [name, tensor] : weights.Named()) {
    if (name == "transformer.h.1.mlp.c_fc.bias") *tensor = at::ones({100});
  }
  EXPECT_EQ(weights.blocks[1].c_fc_bias.sum().item<float>(), 100);
}

TEST(Gpt2WeightsTest, InitialisationHasGpt2sDistribution) {
  Gpt2Weights weights = InitGpt2Weights(kConfig, 3);
  const double projection = 0.02 / std::sqrt(4.0);
  for (const Parameter& parameter : Parameters(kConfig, weights)) {
    const at::Tensor& values = *parameter.tensor;
    ASSERT_EQ(values.sizes(), at::IntArrayRef(parameter.shape));
    const double mean = values.mean().item<double>();
    if (values.dim() == 1) {
      const bool norm_weight =
          parameter.name.find("ln_") != std::string::npos &&
          parameter.name.find("weight") != std::string::npos;
      EXPECT_EQ(mean, norm_weight ? 1 : 0) << parameter.name;
      EXPECT_EQ(values.std().item<double>(), 0) << parameter.name;
      continue;
    }
    const double deviation =
        parameter.name.find("c_proj") != std::string::npos ? projection : 0.02;
    const double count = static_cast<double>(values.numel());
    EXPECT_NEAR(mean, 0, 4 * deviation / std::sqrt(count)) << parameter.name;
    EXPECT_NEAR(values.std().item<double>(), deviation,
                4 * deviation / std::sqrt(2 * count))
        << parameter.name;
    // Fourth moment of a normal distribution: 3.
    EXPECT_NEAR((values / deviation).pow(4).mean().item<double>(), 3,
                4 * std::sqrt(96 / count))
        << parameter.name;
  }
}

TEST(Gpt2WeightsTest, SeedDecidesEveryValueOnAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  Gpt2Weights one = InitGpt2Weights(kConfig, 5);
  at::set_num_threads(2);
  Gpt2Weights two = InitGpt2Weights(kConfig, 5);
  at::set_num_threads(threads);
  const auto of_one = one.Named(), of_two = two.Named();
  for (size_t i = 0; i < of_one.size(); ++i) {
    EXPECT_TRUE(at::equal(*of_one[i].second, *of_two[i].second))
        << of_one[i].first;
  }
  EXPECT_FALSE(at::equal(InitGpt2Weights(kConfig, 6).wte, one.wte));
}

TEST(Gpt2WeightsTest, NoTwoParametersShareTheirDraws) {
  Gpt2Weights weights = InitGpt2Weights(kConfig, 5);
  std::set<float> first_values;
  int matrices = 0;
  for (const auto& [name, tensor] : weights.Named()) {
    if (tensor->dim() == 1) continue;
    ++matrices;
    // Projections are scaled down by 2: compare the draws.
    const bool projection = name.find("c_proj") != std::string::npos;
    first_values.insert(tensor->flatten()[0].item<float>() *
                        (projection ? 2.0f : 1.0f));
  }
  EXPECT_EQ(first_values.size(), matrices);
}

}  // namespace
}  // namespace alignsae
