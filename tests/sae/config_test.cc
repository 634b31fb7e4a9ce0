#include "model/sae/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/json.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(SaeConfigTest, TrainedPositionsAreKeptAndChecked) {
  SaeConfig config;
  config.d_model = 4;
  config.n_features = 2;
  EXPECT_THAT(SaeConfigToJson(config),
              testing::Not(HasSubstr("trained_positions")));
  for (TrainedPositions positions :
       {TrainedPositions::kUnknown, TrainedPositions::kLast,
        TrainedPositions::kAll, TrainedPositions::kLabelled,
        TrainedPositions::kSpan}) {
    config.trained = positions;
    ASSERT_OK_AND_ASSIGN(const SaeConfig read,
                         ParseSaeConfig(SaeConfigToJson(config)));
    EXPECT_EQ(read.trained, positions);
  }
  nlohmann::json json = nlohmann::json::parse(SaeConfigToJson(config));
  json["alignsae"]["trained_positions"] = "first";
  EXPECT_THAT(ParseSaeConfig(json.dump()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("alignsae.trained_positions: must be last, "
                                 "all, labelled or span, got \"first\"")));
}

constexpr char kTopK[] = R"({
  "architecture": "topk",
  "d_in": 768,
  "d_sae": 1536,
  "k": 32,
  "dtype": "float32",
  "device": "cpu",
  "apply_b_dec_to_input": false,
  "normalize_activations": "none",
  "reshape_activations": "none",
  "rescale_acts_by_decoder_norm": false,
  "metadata": {"hook_name": "blocks.6.hook_resid_post", "model_name": "gpt2"},
  "alignsae": {
    "format_version": 1,
    "scale": 71.5,
    "concepts": [
      {"name": "birth_city", "slot": 1535, "description": "Where born",
       "example": "Where was Ada born?", "active_mean": 4.25,
       "threshold": 1.125},
      {"name": "employer", "slot": 0, "description": "", "example": "",
       "active_mean": -1, "threshold": 0}
    ]
  }
})";

SaeConfig TopKConfig() {
  SaeConfig config;
  config.d_model = 768;
  config.n_features = 1536;
  config.hook = {HookKind::kResidPost, 6};
  config.activation = SaeActivation::kTopK;
  config.k = 32;
  config.scale = 71.5;
  config.concepts = {{.name = "birth_city",
                      .slot = 1535,
                      .description = "Where born",
                      .example = "Where was Ada born?",
                      .active_mean = 4.25,
                      .threshold = 1.125},
                     {.name = "employer",
                      .slot = 0,
                      .description = "",
                      .example = "",
                      .active_mean = -1,
                      .threshold = 0}};
  return config;
}

// kTopK with `from` replaced by `to`.
std::string With(const std::string& from, const std::string& to) {
  std::string json = kTopK;
  const size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

TEST(SaeConfigTest, ParsesEveryField) {
  ASSERT_OK_AND_ASSIGN(const SaeConfig config, ParseSaeConfig(kTopK));
  EXPECT_EQ(config, TopKConfig());
}

TEST(SaeConfigTest, ComesBackFromItsJson) {
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    for (HookKind kind : kHookKinds) {
      SaeConfig config = TopKConfig();
      config.activation = activation;
      if (activation != SaeActivation::kTopK) config.k = 0;
      config.hook.kind = kind;
      config.scale = 1.0 / 3;
      config.concepts[0].active_mean = 0.1 + 0.2;
      config.concepts[0].description = "\"quoted\"\n\u00e9";
      ASSERT_OK_AND_ASSIGN(const SaeConfig back,
                           ParseSaeConfig(SaeConfigToJson(config)));
      EXPECT_EQ(back, config) << SaeConfigToJson(config);
    }
  }
}

TEST(SaeConfigTest, UsesTheKeysAndWordsOfSaeLens) {
  SaeConfig config = TopKConfig();
  config.activation = SaeActivation::kRelu;
  config.hook = {HookKind::kResidPre, 3};
  ASSERT_OK_AND_ASSIGN(const nlohmann::json json,
                       ParseJson(SaeConfigToJson(config)));
  EXPECT_EQ(json["architecture"], "standard");
  EXPECT_EQ(json["d_in"], 768);
  EXPECT_EQ(json["d_sae"], 1536);
  EXPECT_EQ(json["metadata"]["hook_name"], "blocks.3.hook_resid_pre");
  EXPECT_EQ(json["apply_b_dec_to_input"], false);
  EXPECT_FALSE(json.contains("k"));
}

TEST(SaeConfigTest, NameThatIsNotUtf8IsWrittenAsValidJson) {
  SaeConfig config = TopKConfig();
  config.concepts[0].name = "\xff";
  ASSERT_OK_AND_ASSIGN(const SaeConfig back,
                       ParseSaeConfig(SaeConfigToJson(config)));
  EXPECT_EQ(back.concepts[0].name, "\ufffd");
}

TEST(SaeConfigTest, ActivationNamesRoundTrip) {
  for (absl::string_view name : {"identity", "relu", "topk", "jumprelu"}) {
    ASSERT_OK_AND_ASSIGN(const SaeActivation activation,
                         ParseSaeActivation(name));
    EXPECT_EQ(SaeActivationName(activation), name);
  }
  EXPECT_THAT(
      ParseSaeActivation("ReLU"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "activation: must be identity, relu, topk or jumprelu, got "
               "\"ReLU\""));
}

struct BadConfig {
  std::string from;
  std::string to;
  std::string error;

  friend std::ostream& operator<<(std::ostream& os, const BadConfig& bad) {
    return os << bad.from << " -> " << bad.to;
  }
};

class BadSaeConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(BadSaeConfigTest, IsRefusedByName) {
  EXPECT_THAT(ParseSaeConfig(With(GetParam().from, GetParam().to)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("cfg.json: ", GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, BadSaeConfigTest,
    ::testing::Values(
        BadConfig{"\"d_in\": 768", "\"d_in\": 0",
                  "d_in: must be an integer in [1, 65536], got 0"},
        BadConfig{"\"d_in\": 768", "\"d_in\": 768.0",
                  "d_in: must be an integer in [1, 65536], got 768.0"},
        BadConfig{"\"d_in\": 768", "\"d_in\": \"768\"",
                  "d_in: must be an integer in [1, 65536], got \"768\""},
        BadConfig{"\"d_in\": 768", "\"d_in\": null",
                  "d_in: must be an integer in [1, 65536], got null"},
        BadConfig{"\"d_in\": 768,", "",
                  "d_in: must be an integer in [1, 65536], got nothing"},
        BadConfig{"\"d_in\": 768", "\"d_in\": 18446744073709551615",
                  "d_in: must be an integer in [1, 65536], got "
                  "18446744073709551615"},
        BadConfig{"\"d_sae\": 1536", "\"d_sae\": -5",
                  "d_sae: must be an integer in [1, 16777216], got -5"},
        BadConfig{"\"d_sae\": 1536", "\"d_sae\": 4294967297",
                  "d_sae: must be an integer in [1, 16777216], got "
                  "4294967297"},
        BadConfig{"\"k\": 32", "\"k\": 0",
                  "k: must be an integer in [1, 16777216], got 0"},
        BadConfig{"\"k\": 32", "\"k\": 1535",
                  "k: must be an integer in [1, 1534], got 1535"},
        BadConfig{"\"k\": 32,", "",
                  "k: must be an integer in [1, 16777216], got nothing"},
        BadConfig{"\"architecture\": \"topk\"",
                  "\"architecture\": \"standard\"",
                  "k: must be absent unless architecture is topk, got 32"}));

INSTANTIATE_TEST_SUITE_P(
    Formula, BadSaeConfigTest,
    ::testing::Values(
        BadConfig{"\"topk\"", "\"gated\"",
                  "architecture: must be standard, topk, jumprelu or identity, "
                  "got \"gated\""},
        BadConfig{"\"topk\"", "\"relu\"",
                  "architecture: must be standard, topk, jumprelu or identity, "
                  "got \"relu\""},
        BadConfig{"\"topk\"", "7", "architecture: must be a string, got 7"},
        BadConfig{"\"apply_b_dec_to_input\": false",
                  "\"apply_b_dec_to_input\": true",
                  "apply_b_dec_to_input: must be false, got true"},
        BadConfig{"\"apply_b_dec_to_input\": false,", "",
                  "apply_b_dec_to_input: must be false, got nothing"},
        BadConfig{"\"normalize_activations\": \"none\"",
                  "\"normalize_activations\": \"layer_norm\"",
                  "normalize_activations: must be \"none\", got "
                  "\"layer_norm\""},
        BadConfig{"\"reshape_activations\": \"none\"",
                  "\"reshape_activations\": \"hook_z\"",
                  "reshape_activations: must be \"none\", got \"hook_z\""},
        BadConfig{"\"rescale_acts_by_decoder_norm\": false",
                  "\"rescale_acts_by_decoder_norm\": true",
                  "rescale_acts_by_decoder_norm: must be false, got true"},
        BadConfig{"\"device\": \"cpu\"", "\"finetuning\": 1",
                  "finetuning: must be a known key, got 1"},
        BadConfig{"blocks.6.", "blocks.06.",
                  "metadata.hook_name: must be blocks.<layer>.hook_<kind> with "
                  "kind resid_pre, attn_out, resid_mid, mlp_out or resid_post, "
                  "got \"blocks.06.hook_resid_post\""},
        BadConfig{"\"dtype\": \"float32\"", "\"dtype\": \"int8\"",
                  "dtype: must be float32, float16 or bfloat16 (the tensors "
                  "say which they are), got \"int8\""},
        BadConfig{"hook_resid_post", "hook_z",
                  "metadata.hook_name: must be blocks.<layer>.hook_<kind> with "
                  "kind resid_pre, attn_out, resid_mid, mlp_out or resid_post, "
                  "got \"blocks.6.hook_z\""},
        BadConfig{
            "blocks.6.", "blocks.-1.",
            "metadata.hook_name's layer: must be an integer in [0, 4095], "
            "got -1"},
        BadConfig{"\"hook_name\": \"blocks.6.hook_resid_post\", ", "",
                  "metadata.hook_name: must be a string, got nothing"},
        BadConfig{"\"model_name\": \"gpt2\"", "\"prepend_bos\": true",
                  "metadata.prepend_bos: must be false or absent: no token is "
                  "put in front of a text, got true"},
        BadConfig{"\"model_name\": \"gpt2\"", "\"prepend_bos\": \"no\"",
                  "metadata.prepend_bos: must be false or absent: no token is "
                  "put in front of a text, got \"no\""},
        BadConfig{"\"model_name\": \"gpt2\"",
                  "\"model_from_pretrained_kwargs\": "
                  "{\"center_writing_weights\": true}",
                  "metadata.model_from_pretrained_kwargs."
                  "center_writing_weights: must be false or absent: the "
                  "residual stream is read as it is, not centered, got true"},
        BadConfig{"\"model_name\": \"gpt2\"",
                  "\"model_from_pretrained_kwargs\": 3",
                  "metadata.model_from_pretrained_kwargs: must be a JSON "
                  "object, got 3"},
        BadConfig{"{\"hook_name\": \"blocks.6.hook_resid_post\", "
                  "\"model_name\": \"gpt2\"}",
                  "[]", "metadata: must be a JSON object, got []"}));

INSTANTIATE_TEST_SUITE_P(
    Own, BadSaeConfigTest,
    ::testing::Values(
        BadConfig{
            "\"alignsae\"", "\"other\"",
            "\"other\": must not be there; it is not a key of this version's "
            "schema"},
        BadConfig{"\"format_version\": 1", "\"format_version\": 2",
                  "alignsae.format_version: must be 1, got 2"},
        BadConfig{"\"scale\": 71.5", "\"scale\": 0",
                  "alignsae.scale: must be in [1e-12, 1e+12], got 0"},
        BadConfig{"\"scale\": 71.5", "\"scale\": \"x\"",
                  "alignsae.scale: must be a finite number, got \"x\""},
        BadConfig{"\"scale\": 71.5", "\"scal\": 71.5",
                  "alignsae.scal: must be a known key, got 71.5"},
        BadConfig{"\"slot\": 1535", "\"slot\": 1536",
                  "alignsae.concepts[0].slot: must be in [0, 1535], got 1536"},
        BadConfig{"\"slot\": 1535", "\"slot\": -1",
                  "alignsae.concepts[0].slot: must be an integer in [0, "
                  "16777215], got -1"},
        BadConfig{"\"slot\": 1535", "\"slot\": 0",
                  "alignsae.concepts[1].slot: must be distinct, got 0 as in "
                  "concepts[0]"},
        BadConfig{"\"employer\"", "\"birth_city\"",
                  "alignsae.concepts[1].name: must be distinct, got "
                  "\"birth_city\" as "
                  "in concepts[0]"},
        BadConfig{"\"employer\"", "\"\"",
                  "alignsae.concepts[1].name: must be 1 to 128 bytes without "
                  "control characters, got \"\""},
        BadConfig{"\"employer\"", "\"a\\nb\"",
                  "alignsae.concepts[1].name: must be 1 to 128 bytes without "
                  "control characters, got \"a\\nb\""},
        BadConfig{"\"active_mean\": -1,", "",
                  "alignsae.concepts[1].active_mean: must be a finite number, "
                  "got nothing"},
        BadConfig{"\"threshold\": 0", "\"threshold\": true",
                  "alignsae.concepts[1].threshold: must be a finite number, "
                  "got true"},
        BadConfig{"\"active_mean\": -1", "\"mean\": -1",
                  "alignsae.concepts[1].\"mean\": must not be there; it is not "
                  "a key of "
                  "this version's schema"}));

TEST(SaeConfigTest, ConceptsMustBeAnArrayOfObjects) {
  const std::string head =
      R"({"architecture": "standard", "d_in": 4, "d_sae": 8,
          "apply_b_dec_to_input": false,
          "metadata": {"hook_name": "blocks.0.hook_resid_pre"},
          "alignsae": {"format_version": 1, "scale": 1, "concepts": )";
  EXPECT_OK(ParseSaeConfig(head + "[]}}"));
  EXPECT_THAT(
      ParseSaeConfig(head + "{}}}"),
      StatusIs(
          absl::StatusCode::kInvalidArgument,
          "cfg.json: alignsae.concepts: must be an array of objects, got {}"));
  EXPECT_THAT(
      ParseSaeConfig(head + "[3]}}"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "cfg.json: alignsae.concepts[0]: must be an object, got 3"));
}

TEST(SaeConfigTest, TextThatIsNoJsonObjectIsRefused) {
  EXPECT_THAT(ParseSaeConfig("[]"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "cfg.json: the file: must be a JSON object, got []"));
  EXPECT_THAT(ParseSaeConfig("{"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("cfg.json: not strict JSON: ")));
  EXPECT_THAT(ParseSaeConfig("{\"d_in\": 1e999}"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("cfg.json: not strict JSON: ")));
}

TEST(SaeConfigTest, CheckRefusesWhatJsonCannotHold) {
  SaeConfig config = TopKConfig();
  config.concepts[1].active_mean = std::numeric_limits<double>::infinity();
  EXPECT_THAT(CheckSaeConfig(config),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "cfg.json: alignsae.concepts[1].active_mean: must be in "
                       "[-1e+12, 1e+12], got inf"));
  config = TopKConfig();
  config.scale = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(CheckSaeConfig(config),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "cfg.json: alignsae.scale: must be in [1e-12, 1e+12], "
                       "got nan"));
  config.scale = 1e308;
  EXPECT_THAT(CheckSaeConfig(config),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "cfg.json: alignsae.scale: must be in [1e-12, 1e+12], "
                       "got 1e+308"));
}

}  // namespace
}  // namespace alignsae
