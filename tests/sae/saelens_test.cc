// cfg.json of SAELens in both layouts, labels of features, and all that is
// refused because it would change a number.

#include "model/sae/saelens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

Json Six() {
  return Json::parse(R"({"d_in": 24, "d_sae": 40, "dtype": "float32",
    "device": "cpu", "apply_b_dec_to_input": true,
    "normalize_activations": "none", "reshape_activations": "none",
    "metadata": {"sae_lens_version": "6.54.12", "context_size": 128,
                 "hook_name": "blocks.3.hook_resid_post"},
    "k": 5, "rescale_acts_by_decoder_norm": true, "architecture": "topk"})");
}

Json Flat() {
  return Json::parse(R"({"model_name": "gpt2-small", "d_in": 24, "d_sae": 40,
    "hook_point": "blocks.8.hook_resid_pre", "hook_point_layer": 8,
    "hook_point_head_index": null, "lr": 0.0004, "dtype": "torch.float32"})");
}

TEST(SaeLensTest, ReadsTheLayoutOfVersionSix) {
  ASSERT_OK_AND_ASSIGN(const SaeConfig config, ParseSaeConfig(Six().dump()));
  EXPECT_EQ(config.d_model, 24);
  EXPECT_EQ(config.n_features, 40);
  EXPECT_EQ(config.hook, (HookPoint{HookKind::kResidPost, 3}));
  EXPECT_EQ(config.activation, SaeActivation::kTopK);
  EXPECT_EQ(config.k, 5);
  EXPECT_EQ(config.scale, 1);
  EXPECT_TRUE(config.concepts.empty());
  EXPECT_TRUE(config.slots_act_alike);
  EXPECT_FALSE(config.prepend_bos);
  EXPECT_EQ(config.folding,
            (SaeFolding{.subtract_b_dec = true, .decoder_norms = true}));
  Json centered = Six();
  centered["metadata"]["model_from_pretrained_kwargs"] = {
      {"center_writing_weights", true}};
  ASSERT_OK_AND_ASSIGN(const SaeConfig with, ParseSaeConfig(centered.dump()));
  EXPECT_TRUE(with.folding.center_input);
}

TEST(SaeLensTest, ReadsTheFlatLayoutWithItsDefaults) {
  ASSERT_OK_AND_ASSIGN(const SaeConfig config, ParseSaeConfig(Flat().dump()));
  EXPECT_EQ(config.hook, (HookPoint{HookKind::kResidPre, 8}));
  EXPECT_EQ(config.activation, SaeActivation::kRelu);
  EXPECT_TRUE(config.prepend_bos);
  EXPECT_EQ(config.folding, (SaeFolding{.subtract_b_dec = true}));
  Json json = Flat();
  json.update(Json::parse(R"({"activation_fn_str": "topk",
    "activation_fn_kwargs": {"k": 7}, "prepend_bos": false,
    "apply_b_dec_to_input": false, "normalize_activations": false})"));
  ASSERT_OK_AND_ASSIGN(const SaeConfig topk, ParseSaeConfig(json.dump()));
  EXPECT_EQ(topk.activation, SaeActivation::kTopK);
  EXPECT_EQ(topk.k, 7);
  EXPECT_FALSE(topk.prepend_bos);
  EXPECT_EQ(topk.folding, SaeFolding());
}

TEST(SaeLensTest, RefusesWhatWouldChangeANumberByName) {
  for (const auto& [pointer, value, rule] :
       std::vector<std::tuple<std::string, Json, std::string>>{
           {"/architecture", "gated",
            "architecture: must be standard, topk or"},
           {"/normalize_activations", "layer_norm",
            "normalize_activations: must be \"none\" or absent: the residual"},
           {"/normalize_activations", "expected_average_only_in",
            "normalize_activations: must be \"none\" or absent"},
           {"/normalize_activations", true, "normalize_activations: must be"},
           {"/reshape_activations", "hook_z", "reshape_activations: must be"},
           {"/metadata/hook_name", "blocks.3.attn.hook_z",
            "metadata.hook_name: must be blocks.<layer>.hook_<kind>"},
           {"/metadata/hook_name", "blocks.03.hook_resid_pre",
            "metadata.hook_name: must be"},
           {"/metadata/hook_head_index", 2, "metadata.hook_head_index: must"},
           {"/metadata/prepend_bos", "yes",
            "metadata.prepend_bos: must be true"},
           {"/apply_b_dec_to_input", 1,
            "apply_b_dec_to_input: must be true or"},
           {"/k", 41, "k: must be an integer in [1, 40], got 41"},
           {"/k", nullptr, "k: must be an integer"},
           {"/d_in", 0, "d_in: must be an integer in [1, "},
           {"/jump", 1, "\"jump\": must not be there"}}) {
    Json json = Six();
    json[Json::json_pointer(pointer)] = value;
    EXPECT_THAT(ParseSaeConfig(json.dump()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("cfg.json: ", rule))))
        << pointer << value;
  }
  Json relu = Six();
  relu["architecture"] = "standard";
  EXPECT_THAT(ParseSaeConfig(relu.dump()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("rescale_acts_by_decoder_norm: must be false "
                                 "unless")));
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{
           {"hook_point", "blocks.8.mlp.hook_post"},
           {"hook_point_head_index", 1},
           {"activation_fn_str", "tanh-relu"},
           {"finetuning_scaling_factor", true},
           {"normalize_activations", "constant_norm_rescale"},
           {"prepend_bos", 1}}) {
    Json json = Flat();
    json[key] = value;
    EXPECT_THAT(ParseSaeConfig(json.dump()),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat("cfg.json: ", key, ": must"))))
        << key;
  }
}

TEST(SaeLensTest, ReadsLabels) {
  ASSERT_OK_AND_ASSIGN(
      const std::vector<Concept> concepts,
      ParseFeatureLabels("{\"feature\": 7, \"name\": \"city\"}\n\n"
                         "{\"feature\": 0, \"name\": \"a\", \"description\": "
                         "\"b\"}\r\n",
                         8));
  ASSERT_EQ(concepts.size(), 2u);
  EXPECT_EQ(concepts[0].slot, 7);
  EXPECT_EQ(concepts[0].name, "city");
  EXPECT_EQ(concepts[1].description, "b");
  EXPECT_EQ(concepts[1].active_mean, 0);
}

TEST(SaeLensTest, LabelsKeepACalibration) {
  std::vector<Concept> concepts(2);
  concepts[0].name = "city";
  concepts[0].slot = 7;
  concepts[0].active_mean = 0.1 + 0.2;
  concepts[0].threshold = -1.5;
  concepts[1].name =
      "st\xc3\xa4"
      "dte";
  concepts[1].description = "\"quoted\"";
  EXPECT_THAT(ParseFeatureLabels(FeatureLabelsToJsonl(concepts), 8),
              IsOkAndHolds(concepts));
}

TEST(SaeLensTest, RefusesBadLabelsByLine) {
  const std::string good = "{\"feature\": 1, \"name\": \"a\"}\n";
  for (
      const auto& [line, rule] :
      std::vector<std::pair<std::string, std::string>>{
          {"{", "labels.jsonl line 2: not strict JSON"},
          {"[]", "labels.jsonl line 2: must be a JSON object"},
          {"{\"feature\": 8, \"name\": \"b\"}",
           "labels.jsonl line 2: feature: must be an integer in [0, 7], got 8"},
          {"{\"feature\": 2}", "labels.jsonl line 2: name: must be a string"},
          {"{\"feature\": 2, \"name\": \"b\", \"x\": 1}",
           "labels.jsonl line 2: \"x\": must not be there"},
          {"{\"feature\": 2, \"name\": \"b\", \"active_mean\": null}",
           "labels.jsonl line 2: active_mean: must be a finite number"},
          {"{\"feature\": 1, \"name\": \"b\"}",
           "labels.jsonl[1].slot: must be"},
          {"{\"feature\": 2, \"name\": \"a\"}",
           "labels.jsonl[1].name: must be"},
          {"{\"feature\": 2, \"name\": \"\"}", "labels.jsonl[1].name: must be"},
      }) {
    EXPECT_THAT(ParseFeatureLabels(good + line, 8),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(rule)))
        << line;
  }
}

}  // namespace
}  // namespace alignsae
