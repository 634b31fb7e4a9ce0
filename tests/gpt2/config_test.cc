#include "model/gpt2/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// What Hugging Face writes for GPT-2 small, keys that do not concern us
// included.
constexpr char kGpt2Small[] = R"({
  "activation_function": "gelu_new",
  "architectures": ["GPT2LMHeadModel"],
  "attn_pdrop": 0.1,
  "bos_token_id": 50256,
  "embd_pdrop": 0.1,
  "eos_token_id": 50256,
  "initializer_range": 0.02,
  "layer_norm_epsilon": 1e-05,
  "model_type": "gpt2",
  "n_ctx": 1024,
  "n_embd": 768,
  "n_head": 12,
  "n_inner": null,
  "n_layer": 12,
  "n_positions": 1024,
  "reorder_and_upcast_attn": false,
  "resid_pdrop": 0.1,
  "scale_attn_by_inverse_layer_idx": false,
  "scale_attn_weights": true,
  "summary_activation": null,
  "summary_first_dropout": 0.1,
  "summary_proj_to_labels": true,
  "summary_type": "cls_index",
  "summary_use_proj": true,
  "task_specific_params": {"text-generation": {"do_sample": true, "max_length": 50}},
  "torch_dtype": "float32",
  "transformers_version": "4.30.2",
  "use_cache": true,
  "vocab_size": 50257
})";

// kGpt2Small with the keys of `patch` in place of its own; a key that starts
// with
// "-" removes one.
std::string Patched(const std::string& patch) {
  nlohmann::json config = nlohmann::json::parse(kGpt2Small);
  const nlohmann::json changes = nlohmann::json::parse(patch);
  for (const auto& [key, value] : changes.items()) {
    if (key[0] == '-') {
      config.erase(key.substr(1));
    } else {
      config[key] = value;
    }
  }
  return config.dump();
}

TEST(Gpt2ConfigTest, ReadsWhatHuggingFaceWritesForGpt2Small) {
  ASSERT_OK_AND_ASSIGN(const Gpt2Config config, ParseGpt2Config(kGpt2Small));
  EXPECT_EQ(config.n_layer, 12);
  EXPECT_EQ(config.n_head, 12);
  EXPECT_EQ(config.d_model, 768);
  EXPECT_EQ(config.head_dim(), 64);
  EXPECT_EQ(config.d_inner, 3072);
  EXPECT_EQ(config.context_length, 1024);
  EXPECT_EQ(config.vocab_size, 50257);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-5);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_TRUE(config.scale_attn_weights);
  EXPECT_FALSE(config.scale_attn_by_inverse_layer_idx);
  EXPECT_THAT(config.end_tokens.ids, ElementsAre(50256));
}

TEST(Gpt2ConfigTest, ReadsEverySwitchThatIsImplemented) {
  ASSERT_OK_AND_ASSIGN(
      const Gpt2Config config,
      ParseGpt2Config(Patched(R"({"n_inner": 100, "layer_norm_epsilon": 0.001,
          "tie_word_embeddings": false, "scale_attn_weights": false,
          "scale_attn_by_inverse_layer_idx": true, "eos_token_id": null,
          "activation_function": "relu", "-n_ctx": 0, "n_positions": 77})")));
  EXPECT_EQ(config.d_inner, 100);
  EXPECT_EQ(config.layer_norm_epsilon, 0.001);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_FALSE(config.scale_attn_weights);
  EXPECT_TRUE(config.scale_attn_by_inverse_layer_idx);
  EXPECT_EQ(config.end_tokens, EndTokens());
  EXPECT_EQ(config.activation, Activation::kRelu);
  EXPECT_EQ(config.context_length, 77);
}

TEST(Gpt2ConfigTest, KnowsTheNamesOfEveryActivation) {
  const std::pair<const char*, Activation> kNames[] = {
      {"gelu_new", Activation::kGeluTanh},
      {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh},
      {"gelu_accurate", Activation::kGeluTanh},
      {"gelu", Activation::kGeluErf},
      {"gelu_python", Activation::kGeluErf},
      {"relu", Activation::kRelu},
      {"silu", Activation::kSilu},
      {"swish", Activation::kSilu},
      {"quick_gelu", Activation::kQuickGelu},
      {"tanh", Activation::kTanh}};
  for (const auto& [name, activation] : kNames) {
    ASSERT_OK_AND_ASSIGN(const Gpt2Config config,
                         ParseGpt2Config(Patched(absl::StrCat(
                             R"({"activation_function": ")", name, "\"}"))));
    EXPECT_EQ(config.activation, activation) << name;
  }
}

TEST(Gpt2ConfigTest, TakesTheOrdinaryValueForOptionalKeysThatAreAbsent) {
  ASSERT_OK_AND_ASSIGN(
      const Gpt2Config config,
      ParseGpt2Config(R"({"model_type": "gpt2", "n_layer": 2, "n_head": 3,
          "n_embd": 12, "n_positions": 8, "vocab_size": 5})"));
  EXPECT_EQ(config.d_inner, 48);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-5);
  EXPECT_EQ(config.activation, Activation::kGeluTanh);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_TRUE(config.scale_attn_weights);
  EXPECT_EQ(config.end_tokens, EndTokens());
}

TEST(Gpt2ConfigTest, TakesEndTokensOutsideOfTheVocabularyAndListsOfThem) {
  ASSERT_OK_AND_ASSIGN(const Gpt2Config config,
                       ParseGpt2Config(Patched(
                           R"({"vocab_size": 300, "eos_token_id": 50256})")));
  EXPECT_THAT(config.end_tokens.ids, IsEmpty());
  EXPECT_THAT(config.end_tokens.unreachable, ElementsAre(50256));
  ASSERT_OK_AND_ASSIGN(
      const Gpt2Config list,
      ParseGpt2Config(Patched(R"({"eos_token_id": [50256, 198]})")));
  EXPECT_THAT(list.end_tokens.ids, ElementsAre(50256, 198));
}

TEST(Gpt2ConfigTest, TakesSwitchesThatAreTheSameComputationEitherWay) {
  EXPECT_OK(ParseGpt2Config(Patched(
      R"({"reorder_and_upcast_attn": true, "hidden_size": 768,
          "num_hidden_layers": 12, "num_attention_heads": 12,
          "max_position_embeddings": 1024})")));
}

TEST(Gpt2ConfigTest, AcceptsSwitchesThatAreOffOrEmpty) {
  EXPECT_OK(ParseGpt2Config(Patched(
      R"({"pruned_heads": {}, "quantization_config": null, "auto_map": {},
          "add_cross_attention": false, "is_encoder_decoder": false,
          "reorder_and_upcast_attn": null, "some_future_key": [1, 2]})")));
}

TEST(Gpt2ConfigTest, SurvivesBeingWrittenAndReadAgain) {
  Gpt2Config config = {.n_layer = 3,
                       .n_head = 2,
                       .d_model = 10,
                       .d_inner = 7,
                       .context_length = 33,
                       .vocab_size = 99,
                       .layer_norm_epsilon = 2e-6,
                       .activation = Activation::kGeluErf,
                       .tie_word_embeddings = false,
                       .scale_attn_weights = false,
                       .scale_attn_by_inverse_layer_idx = true,
                       .end_tokens = {}};
  for (const std::vector<int32_t>& ends :
       {std::vector<int32_t>{98}, {}, {98, 3}}) {
    config.end_tokens.ids = ends;
    const std::string json = Gpt2ConfigToJson(config);
    ASSERT_OK_AND_ASSIGN(const Gpt2Config read, ParseGpt2Config(json));
    EXPECT_EQ(Gpt2ConfigToJson(read), json);
    EXPECT_EQ(read.end_tokens, config.end_tokens);
    EXPECT_EQ(read.d_inner, 7);
    EXPECT_EQ(read.layer_norm_epsilon, 2e-6);
    EXPECT_EQ(read.activation, Activation::kGeluErf);
    EXPECT_FALSE(read.tie_word_embeddings);
    EXPECT_FALSE(read.scale_attn_weights);
    EXPECT_TRUE(read.scale_attn_by_inverse_layer_idx);
  }
}

struct BadConfig {
  const char* patch;
  const char* message;  // After "config.json: ".
};

TEST(Gpt2ConfigTest, RefusesABadValueWithItsKeyItsRuleAndTheValue) {
  const BadConfig kCases[] = {
      {R"({"-model_type": 0})", "model_type: must be \"gpt2\", got nothing"},
      {R"({"model_type": "llama"})",
       "model_type: must be \"gpt2\", got \"llama\""},
      {R"({"model_type": 2})", "model_type: must be \"gpt2\", got 2"},
      {R"({"model_type": null})", "model_type: must be \"gpt2\", got nothing"},
      {R"({"reorder_and_upcast_attn": "no"})",
       "reorder_and_upcast_attn: must be true or false, got \"no\""},
      {R"({"add_cross_attention": true})",
       "add_cross_attention: must be false (not supported), got true"},
      {R"({"is_encoder_decoder": true})",
       "is_encoder_decoder: must be false (not supported), got true"},
      {R"({"pruned_heads": {"0": [1]}})",
       "pruned_heads: must be empty or absent (not supported), got "
       "{\"0\":[1]}"},
      {R"({"quantization_config": {"bits": 4}})",
       "quantization_config: must be empty or absent (not supported), got "
       "{\"bits\":4}"},
      {R"({"auto_map": "code.py"})",
       "auto_map: must be empty or absent (not supported), got \"code.py\""},
      {R"({"hidden_size": 769})",
       "hidden_size: must be absent or equal to n_embd, got 769"},
      {R"({"max_position_embeddings": 10})",
       "max_position_embeddings: must be absent or equal to n_positions, got "
       "10"},
      {R"({"num_attention_heads": "12"})",
       "num_attention_heads: must be absent or equal to n_head, got \"12\""},
      {R"({"num_hidden_layers": 11})",
       "num_hidden_layers: must be absent or equal to n_layer, got 11"},
      {R"({"-n_layer": 0})",
       "n_layer: must be an integer in [1, 512], got nothing"},
      {R"({"n_layer": 0})", "n_layer: must be an integer in [1, 512], got 0"},
      {R"({"n_layer": -1})", "n_layer: must be an integer in [1, 512], got -1"},
      {R"({"n_layer": 1000000})",
       "n_layer: must be an integer in [1, 512], got 1000000"},
      {R"({"n_layer": 12.0})",
       "n_layer: must be an integer in [1, 512], got 12.0"},
      {R"({"n_layer": "12"})",
       "n_layer: must be an integer in [1, 512], got \"12\""},
      {R"({"n_layer": null})",
       "n_layer: must be an integer in [1, 512], got null"},
      {R"({"n_layer": true})",
       "n_layer: must be an integer in [1, 512], got true"},
      {R"({"n_layer": [12]})",
       "n_layer: must be an integer in [1, 512], got [12]"},
      {R"({"n_head": 0})", "n_head: must be an integer in [1, 1024], got 0"},
      {R"({"n_head": 2147483648})",
       "n_head: must be an integer in [1, 1024], got 2147483648"},
      {R"({"n_head": 7})", "n_embd: must be a multiple of n_head (7), got 768"},
      {R"({"n_embd": -768})",
       "n_embd: must be an integer in [1, 65536], got -768"},
      {R"({"n_embd": 9223372036854775808})",
       "n_embd: must be an integer in [1, 65536], got 9223372036854775808"},
      {R"({"n_embd": 770})",
       "n_embd: must be a multiple of n_head (12), got 770"},
      {R"({"n_inner": 0})",
       "n_inner: must be an integer in [1, 1048576], got 0"},
      {R"({"n_inner": 1048577})",
       "n_inner: must be an integer in [1, 1048576], got 1048577"},
      {R"({"n_inner": 3e3})",
       "n_inner: must be an integer in [1, 1048576], got 3000.0"},
      {R"({"n_positions": 0})",
       "n_positions: must be an integer in [1, 65536], got 0"},
      {R"({"n_positions": 18446744073709551615})",
       "n_positions: must be an integer in [1, 65536], got "
       "18446744073709551615"},
      {R"({"n_positions": 512})",
       "n_ctx: must be equal to n_positions (512) or absent, got 1024"},
      {R"({"n_ctx": "1024"})",
       "n_ctx: must be equal to n_positions (1024) or absent, got \"1024\""},
      {R"({"vocab_size": 0})",
       "vocab_size: must be an integer in [1, 16777216], got 0"},
      {R"({"vocab_size": -9223372036854775808})",
       "vocab_size: must be an integer in [1, 16777216], got "
       "-9223372036854775808"},
      {R"({"vocab_size": {}})",
       "vocab_size: must be an integer in [1, 16777216], got {}"},
      {R"({"layer_norm_epsilon": 0})",
       "layer_norm_epsilon: must be a number in (0, 0.1], got 0"},
      {R"({"layer_norm_epsilon": -1e-5})",
       "layer_norm_epsilon: must be a number in (0, 0.1], got -1e-05"},
      {R"({"layer_norm_epsilon": "NaN"})",
       "layer_norm_epsilon: must be a number in (0, 0.1], got \"NaN\""},
      {R"({"layer_norm_epsilon": 1})",
       "layer_norm_epsilon: must be a number in (0, 0.1], got 1"},
      {R"({"activation_function": "mish"})",
       "activation_function: must be gelu_new, gelu_pytorch_tanh, gelu_fast, "
       "gelu_accurate, gelu, gelu_python, relu, silu, swish, quick_gelu or "
       "tanh, got \"mish\""},
      {R"({"activation_function": ["gelu"]})",
       "activation_function: must be gelu_new, gelu_pytorch_tanh, gelu_fast, "
       "gelu_accurate, gelu, gelu_python, relu, silu, swish, quick_gelu or "
       "tanh, got [\"gelu\"]"},
      {R"({"tie_word_embeddings": 1})",
       "tie_word_embeddings: must be true or false, got 1"},
      {R"({"scale_attn_weights": "true"})",
       "scale_attn_weights: must be true or false, got \"true\""},
      {R"({"scale_attn_by_inverse_layer_idx": 0})",
       "scale_attn_by_inverse_layer_idx: must be true or false, got 0"},
      {R"({"eos_token_id": -1})",
       "eos_token_id: must be a token id (an integer in [0, 2147483647]) or a "
       "list of them, got -1"},
      {R"({"eos_token_id": []})",
       "eos_token_id: must be a token id (an integer in [0, 2147483647]) or a "
       "list of them, got []"},
      {R"({"eos_token_id": 1.5})",
       "eos_token_id: must be a token id (an integer in [0, 2147483647]) or a "
       "list of them, got 1.5"},
  };
  for (const BadConfig& bad : kCases) {
    EXPECT_THAT(ParseGpt2Config(Patched(bad.patch)),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         absl::StrCat("config.json: ", bad.message)))
        << bad.patch;
  }
}

TEST(Gpt2ConfigTest, RefusesTextThatIsNotOneStrictJsonObject) {
  const std::string good = kGpt2Small;
  const std::string kTexts[] = {
      "",
      "{",
      good + "x",
      good + good,
      "\xef\xbb\xbf" + good,
      absl::StrReplaceAll(good, {{"1e-05", "1e999"}}),
      absl::StrReplaceAll(good, {{"1e-05", "NaN"}}),
      absl::StrReplaceAll(good, {{"\"n_head\": 12", "\"n_layer\": 12"}}),
      absl::StrReplaceAll(good, {{"gelu_new", "gelu\xff"}}),
      "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}",
  };
  for (const std::string& text : kTexts) {
    EXPECT_THAT(ParseGpt2Config(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("config.json: not strict JSON: ")))
        << text.substr(0, 80);
  }
  for (const char* text : {"[]", "null", "12", "\"gpt2\""}) {
    EXPECT_THAT(
        ParseGpt2Config(text),
        StatusIs(
            absl::StatusCode::kInvalidArgument,
            absl::StrCat("config.json: must be a JSON object, got ", text)));
  }
}

TEST(Gpt2ConfigTest, ShowsOnlyTheBeginningOfALongValue) {
  const std::string patch = absl::StrCat(R"({"activation_function": ")",
                                         std::string(10000, 'a'), "\"}");
  const absl::Status status = ParseGpt2Config(Patched(patch)).status();
  EXPECT_THAT(status.message(), HasSubstr("got \"aaaa"));
  EXPECT_LT(status.message().size(), 300);
}

}  // namespace
}  // namespace alignsae
