#include "model/gpt_neox/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

// As transformers 4 writes Pythia's.
Json Pythia() {
  return {{"architectures", {"GPTNeoXForCausalLM"}},
          {"attention_bias", true},
          {"attention_dropout", 0.1},
          {"bos_token_id", 0},
          {"eos_token_id", 0},
          {"hidden_act", "gelu"},
          {"hidden_size", 512},
          {"intermediate_size", 2048},
          {"layer_norm_eps", 1e-5},
          {"max_position_embeddings", 2048},
          {"model_type", "gpt_neox"},
          {"num_attention_heads", 8},
          {"num_hidden_layers", 6},
          {"rope_scaling", nullptr},
          {"rotary_emb_base", 10000},
          {"rotary_pct", 0.25},
          {"tie_word_embeddings", false},
          {"use_parallel_residual", true},
          {"vocab_size", 50304}};
}

absl::StatusOr<GptNeoXConfig> Parse(const Json& json) {
  return ParseGptNeoXConfig(json.dump());
}

// Of Pythia's with `change` merged in.
std::string Refusal(const Json& change) {
  Json json = Pythia();
  json.update(change);
  return std::string(Parse(json).status().message());
}

TEST(GptNeoXConfigTest, PythiasIsTaken) {
  ASSERT_OK_AND_ASSIGN(const GptNeoXConfig config, Parse(Pythia()));
  EXPECT_EQ(config.n_layer, 6);
  EXPECT_EQ(config.n_head, 8);
  EXPECT_EQ(config.d_model, 512);
  EXPECT_EQ(config.d_inner, 2048);
  EXPECT_EQ(config.context_length, 2048);
  EXPECT_EQ(config.vocab_size, 50304);
  EXPECT_EQ(config.activation, Activation::kGeluErf);
  EXPECT_EQ(config.rotary_dims, 16);
  EXPECT_EQ(config.rotary_base, 10000);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_THAT(config.end_tokens.ids, ElementsAre(0));
  EXPECT_EQ(config.facts().family, "gpt_neox");
  EXPECT_TRUE(config.facts().parallel_residual);
}

TEST(GptNeoXConfigTest, RopeParametersOfTransformers5AreTheSame) {
  Json json = Pythia();
  json.erase("rotary_pct");
  json.erase("rotary_emb_base");
  json["rope_parameters"] = {{"rope_type", "default"},
                             {"rope_theta", 500.0},
                             {"partial_rotary_factor", 0.5}};
  ASSERT_OK_AND_ASSIGN(const GptNeoXConfig config, Parse(json));
  EXPECT_EQ(config.rotary_dims, 32);
  EXPECT_EQ(config.rotary_base, 500);
}

TEST(GptNeoXConfigTest, WithoutRotaryKeysHuggingFacesDefaultsHold) {
  Json json = Pythia();
  json.erase("rotary_pct");
  json.erase("rotary_emb_base");
  ASSERT_OK_AND_ASSIGN(const GptNeoXConfig config, Parse(json));
  EXPECT_EQ(config.rotary_dims, 16);
  EXPECT_EQ(config.rotary_base, 10000);
}

TEST(GptNeoXConfigTest, WhatChangesNumbersAndIsNotComputedIsRefusedByName) {
  const struct {
    Json change;
    const char* sentence;
  } kCases[] = {
      {{{"model_type", "gpt_neox_japanese"}},
       "config.json: model_type: must be \"gpt_neox\", got "
       "\"gpt_neox_japanese\""},
      {{{"rope_scaling", {{"type", "linear"}, {"factor", 2.0}}}},
       "config.json: rope_scaling: must be empty or absent"},
      {{{"rope_parameters", {{"rope_type", "yarn"}, {"rope_theta", 1e4}}}},
       "config.json: rope_parameters.rope_type: must be \"default\""},
      {{{"rope_parameters", {{"rope_type", "default"}, {"factor", 2.0}}}},
       "config.json: rope_parameters.factor: must be absent"},
      {{{"rope_parameters", 7}},
       "config.json: rope_parameters: must be an object, got 7"},
      {{{"rope_parameters", {{"partial_rotary_factor", 0.5}}}},
       "config.json: rotary_pct: must be absent or 0.5 as "
       "rope_parameters.partial_rotary_factor, got 0.25"},
      {{{"rope_theta", 5e5}},
       "config.json: rotary_emb_base: must be absent or 500000 as rope_theta, "
       "got 10000"},
      {{{"rotary_pct", 0}},
       "config.json: rotary_pct: must be a number in (0, "},
      {{{"rotary_pct", 1.5}}, "config.json: rotary_pct: must be a number in "},
      {{{"rotary_pct", 0.05}},
       "config.json: rotary_pct: must be a share that gives an even number of "
       "the 64 numbers of a head, at least 2, got 0.05, which gives 3"},
      {{{"rotary_emb_base", "x"}},
       "config.json: rotary_emb_base: must be a number in (0, "},
      {{{"attention_bias", false}},
       "config.json: attention_bias: must be true (false is not supported)"},
      {{{"head_dim", 32}}, "config.json: head_dim: must be absent or 64"},
      {{{"hidden_size", 510}},
       "config.json: hidden_size: must be a multiple of num_attention_heads "
       "(8), got 510"},
      {{{"hidden_act", "gelu_10"}},
       "config.json: hidden_act: must be gelu_new"},
      {{{"use_parallel_residual", "yes"}},
       "config.json: use_parallel_residual: must be true or false"},
      {{{"quantization_config", {{"bits", 4}}}},
       "config.json: quantization_config: must be empty or absent"},
      {{{"is_encoder_decoder", true}}, "config.json: is_encoder_decoder: must"},
      {{{"num_hidden_layers", nullptr}},
       "config.json: num_hidden_layers: must be an integer in [1, 512], got "
       "null"},
      {{{"layer_norm_eps", 0}}, "config.json: layer_norm_eps: must be"},
  };
  for (const auto& c : kCases) {
    EXPECT_THAT(Refusal(c.change), HasSubstr(c.sentence)) << c.change;
  }
}

}  // namespace
}  // namespace alignsae
