// bundle.json: a table of bad manifests with the exact sentence each gives, and
// that writing and reading agree.

#include "model/bundle/manifest.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using Json = nlohmann::json;
using Pointer = nlohmann::json::json_pointer;

const char kHash[] =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const char kOtherHash[] =
    "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

Manifest GoodManifest() {
  Manifest manifest;
  manifest.name = "demo";
  manifest.version = "1.0";
  manifest.model_path = "gpt2";
  manifest.model_sha256 = kHash;
  manifest.prompt_template = "Q: {question}\nA:";
  ManifestSae sae;
  sae.name = "main";
  sae.path = "sae/main";
  sae.sha256 = kHash;
  sae.hook = {HookKind::kResidPost, 3};
  sae.activation = "topk";
  sae.scale = 21.5;
  sae.concepts = {{.name = "birth_city",
                   .slot = 0,
                   .description = "Where the person was born.",
                   .example = "Where was Ada born?",
                   .active_mean = 4.1,
                   .threshold = 0.1},
                  {.name = "st\xc3\xa4"
                           "dte",
                   .slot = 7,
                   .description = "",
                   .example = "",
                   .active_mean = 1e-7,
                   .threshold = -2}};
  sae.recommended_mode = InterventionMode::kSwap;
  sae.recommended_alpha = 1.5;
  manifest.saes.push_back(sae);
  sae.name = "other";
  sae.path = "sae/other";
  sae.hook = {HookKind::kResidPre, 0};
  sae.concepts.clear();
  manifest.saes.push_back(sae);
  manifest.evaluation = {{"b", 1}, {"a", {{"swap", 0.91}}}};
  manifest.provenance_command = "alignsae-train pipeline --preset demo";
  manifest.provenance_seed = 18446744073709551615u;
  manifest.provenance_commits = {{"data", "abc"}, {"lm", "abc,def"}};
  manifest.files = {{"gpt2/model.safetensors", kHash},
                    {"gpt2/config.json", kOtherHash},
                    {"sae/main/sae_weights.safetensors", kHash},
                    {"sae/other/sae_weights.safetensors", kHash}};
  manifest.prompts = {{"Q: Where was Ada born?\nA:", "birth_city"}};
  return manifest;
}

TEST(ManifestTest, ReadsWhatItWrote) {
  const std::string text = ManifestToJson(GoodManifest());
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(text));
  EXPECT_EQ(ManifestToJson(manifest), text);
  EXPECT_EQ(manifest.name, "demo");
  EXPECT_EQ(manifest.version, "1.0");
  EXPECT_EQ(manifest.model_path, "gpt2");
  EXPECT_EQ(manifest.model_sha256, kHash);
  EXPECT_EQ(manifest.prompt_template, "Q: {question}\nA:");
  ASSERT_EQ(manifest.saes.size(), 2u);
  const ManifestSae& sae = manifest.saes[0];
  EXPECT_EQ(sae.name, "main");
  EXPECT_EQ(sae.path, "sae/main");
  EXPECT_EQ(sae.sha256, kHash);
  EXPECT_EQ(sae.hook, (HookPoint{HookKind::kResidPost, 3}));
  EXPECT_EQ(sae.activation, "topk");
  EXPECT_EQ(sae.scale, 21.5);
  EXPECT_EQ(sae.recommended_mode, InterventionMode::kSwap);
  EXPECT_EQ(sae.recommended_alpha, 1.5);
  ASSERT_EQ(sae.concepts.size(), 2u);
  EXPECT_EQ(sae.concepts[0].description, "Where the person was born.");
  EXPECT_EQ(sae.concepts[0].example, "Where was Ada born?");
  EXPECT_EQ(sae.concepts[0].active_mean, 4.1);
  EXPECT_EQ(sae.concepts[1].name,
            "st\xc3\xa4"
            "dte");
  EXPECT_EQ(sae.concepts[1].slot, 7);
  EXPECT_EQ(sae.concepts[1].active_mean, 1e-7);
  EXPECT_EQ(sae.concepts[1].threshold, -2);
  EXPECT_EQ(manifest.saes[1].hook, (HookPoint{HookKind::kResidPre, 0}));
  EXPECT_THAT(manifest.saes[1].concepts, IsEmpty());
  EXPECT_EQ(manifest.evaluation, GoodManifest().evaluation);
  EXPECT_EQ(manifest.provenance_command,
            "alignsae-train pipeline --preset demo");
  EXPECT_EQ(manifest.provenance_seed, 18446744073709551615u);
  EXPECT_EQ(manifest.provenance_commits, GoodManifest().provenance_commits);
  EXPECT_EQ(manifest.files, GoodManifest().files);
  ASSERT_EQ(manifest.prompts.size(), 1u);
  EXPECT_EQ(manifest.prompts[0].text, "Q: Where was Ada born?\nA:");
  EXPECT_EQ(manifest.prompts[0].concept_name, "birth_city");
}

TEST(ManifestTest, WritesTheSchemaInItsOrderForPeopleToRead) {
  const std::string text = ManifestToJson(GoodManifest());
  EXPECT_THAT(text, StartsWith("{\n  \"format_version\": 2,\n  \"name\": "
                               "\"demo\",\n  \"version\": \"1.0\",\n"
                               "  \"model\": {\n    \"path\": \"gpt2\","));
  EXPECT_THAT(text, HasSubstr("\"hook\": {\n        \"kind\": "
                              "\"resid_post\",\n        \"layer\": 3\n"));
  EXPECT_EQ(text, ManifestToJson(GoodManifest()));
}

TEST(ManifestTest, TakesABundleWithoutTemplateAndCheckpoints) {
  Manifest manifest = GoodManifest();
  manifest.prompt_template.clear();
  manifest.saes.clear();
  manifest.prompts.clear();
  EXPECT_OK(ParseManifest(ManifestToJson(manifest)));
}

// A change of one value of the good manifest, and what it must lead to.
struct BadManifest {
  std::string pointer;  // Of the value (RFC 6901).
  Json value;           // Discarded: the key is removed.
  std::string error;    // After "bundle.json: ".
};

const Json kRemoved = Json(Json::value_t::discarded);

std::vector<BadManifest> BadTopLevel() {
  const std::string name =
      "must be 1 to 128 bytes without control characters, got ";
  const std::string path =
      "must be a relative path below the bundle without empty, . and .. "
      "parts, got ";
  const std::string hash =
      "model.sha256: must be 64 lower-case hexadecimal digits, got ";
  const std::string prompt =
      "prompt_template: must be empty or text with {question} exactly once, "
      "got ";
  const std::string version =
      "format_version: must be an integer in [2, 2], got ";
  return {
      {"/format_version", kRemoved, version + "nothing"},
      {"/format_version", 0, version + "0"},
      {"/format_version", 3, version + "3"},
      {"/format_version", 1,
       "format_version: must be 2, got 1; `alignsae-train bundle upgrade DIR` "
       "makes it so"},
      {"/format_version", 2.0, version + "2.0"},
      {"/format_version", "2", version + "\"2\""},
      {"/format_version", 18446744073709551615u,
       version + "18446744073709551615"},
      {"/notes", "x",
       "\"notes\": must not be there; it is not a key of this version's "
       "schema"},
      {"/name", kRemoved, "name: must be a string, got nothing"},
      {"/name", 7, "name: must be a string, got 7"},
      {"/name", "", "name: " + name + "\"\""},
      {"/name", "a\nb", "name: " + name + "\"a\\nb\""},
      {"/name", std::string(129, 'n'),
       "name: " + name + "\"" + std::string(64, 'n') + "\"..."},
      {"/version", nullptr, "version: must be a string, got null"},
      {"/version", "", "version: " + name + "\"\""},
      {"/model", kRemoved, "model: must be an object, got nothing"},
      {"/model", "gpt2", "model: must be an object, got \"gpt2\""},
      {"/model/size", 1,
       "model.\"size\": must not be there; it is not a key of this version's "
       "schema"},
      {"/model/path", kRemoved, "model.path: must be a string, got nothing"},
      {"/model/path", "", "model.path: " + path + "\"\""},
      {"/model/path", "/etc", "model.path: " + path + "\"/etc\""},
      {"/model/path", "..", "model.path: " + path + "\"..\""},
      {"/model/path", "gpt2/../../x",
       "model.path: " + path + "\"gpt2/../../x\""},
      {"/model/path", "./gpt2", "model.path: " + path + "\"./gpt2\""},
      {"/model/path", "gpt2/", "model.path: " + path + "\"gpt2/\""},
      {"/model/path", "a//b", "model.path: " + path + "\"a//b\""},
      {"/model/path", std::string("a\0b", 3),
       "model.path: " + path + "\"a\\000b\""},
      {"/model/sha256", kRemoved,
       "model.sha256: must be a string, got nothing"},
      {"/model/sha256", "abc", hash + "\"abc\""},
      {"/model/sha256", std::string(64, 'A'),
       hash + "\"" + std::string(64, 'A') + "\""},
      {"/prompt_template", kRemoved,
       "prompt_template: must be a string, got nothing"},
      {"/prompt_template", "Q:", prompt + "\"Q:\""},
      {"/prompt_template", "{question}{question}",
       prompt + "\"{question}{question}\""},
      {"/saes", kRemoved, "saes: must be an array of objects, got nothing"},
      {"/saes", Json::object(), "saes: must be an array of objects, got {}"},
      {"/saes/0", 7, "saes[0]: must be an object, got 7"},
      {"/evaluation", kRemoved, "evaluation: must be an object, got nothing"},
      {"/evaluation", Json::array({1}),
       "evaluation: must be an object, got an array"},
      {"/provenance", kRemoved, "provenance: must be an object, got nothing"},
      {"/provenance/host", "x",
       "provenance.\"host\": must not be there; it is not a key of this "
       "version's schema"},
      {"/provenance/command", 1, "provenance.command: must be a string, got 1"},
      {"/provenance/seed", -1,
       "provenance.seed: must be an integer in [0, 2^64 - 1], got -1"},
      {"/provenance/seed", kRemoved,
       "provenance.seed: must be an integer in [0, 2^64 - 1], got nothing"},
      {"/provenance/commits", kRemoved,
       "provenance.commits: must be an object, got nothing"},
      {"/provenance/commits/lm", 1,
       "provenance.commits.lm: must be a string, got 1"},
      {"/files", kRemoved, "files: must be an object, got nothing"},
      {"/files/..~1x", kHash,
       "files: must be of keys that are a relative path below the bundle "
       "without empty, . and .. parts, got \"../x\""},
      {"/files/gpt2~1config.json", "abc",
       "files.gpt2/config.json: must be 64 lower-case hexadecimal digits, got "
       "\"abc\""},
      {"/files/gpt2~1model.safetensors", kRemoved,
       "model.sha256: must be that of gpt2/model.safetensors in files, got a "
       "file that is not listed"},
      {"/files/sae~1other~1sae_weights.safetensors", kOtherHash,
       absl::StrCat("saes[1].sha256: must be that of "
                    "sae/other/sae_weights.safetensors in files, got ",
                    kHash)},
      {"/prompts", 1, "prompts: must be an array of objects, got 1"},
      {"/prompts/0/label", 1,
       "prompts[0].\"label\": must not be there; it is not a key of this "
       "version's schema"},
      {"/prompts/0/concept", "height",
       "prompts[0].concept: must be the name of a concept of a checkpoint, got "
       "\"height\""},
  };
}

std::vector<BadManifest> BadSaes() {
  const std::string unknown =
      ": must not be there; it is not a key of this version's schema";
  const std::string activation =
      "saes[0].activation: must be identity, relu, topk or jumprelu, got ";
  const std::string mode =
      "saes[0].recommended.mode: must be one of ADD, ADD_NORM_MATCHED, SET, "
      "MULTIPLY, ABLATE, SWAP, REPLACE, PROJECT_OUT, got ";
  return {
      {"/saes/0/size", 1, "saes[0].\"size\"" + unknown},
      {"/saes/0/name", kRemoved, "saes[0].name: must be a string, got nothing"},
      {"/saes/1/name", "main", "saes[1].name: must be distinct, got \"main\""},
      {"/saes/1/path", "sae/main",
       "saes[1].path: must be distinct, got \"sae/main\""},
      {"/saes/1/path", "../sae",
       "saes[1].path: must be a relative path below the bundle without empty, "
       ". and .. parts, got \"../sae\""},
      {"/saes/1/sha256", "",
       "saes[1].sha256: must be 64 lower-case hexadecimal digits, got \"\""},
      {"/saes/0/hook", "resid_pre[3]",
       "saes[0].hook: must be an object, got \"resid_pre[3]\""},
      {"/saes/0/hook/site", 1, "saes[0].hook.\"site\"" + unknown},
      {"/saes/0/hook/kind", "ln_f",
       "saes[0].hook.kind: must be resid_pre, attn_out, resid_mid, mlp_out or "
       "resid_post, got \"ln_f\""},
      {"/saes/0/hook/layer", -1,
       "saes[0].hook.layer: must be an integer in [0, 4095], got -1"},
      {"/saes/0/hook/layer", 4096,
       "saes[0].hook.layer: must be an integer in [0, 4095], got 4096"},
      {"/saes/0/hook/layer", kRemoved,
       "saes[0].hook.layer: must be an integer in [0, 4095], got nothing"},
      {"/saes/0/activation", "ReLU", activation + "\"ReLU\""},
      {"/saes/0/activation", nullptr,
       "saes[0].activation: must be a string, got null"},
      {"/saes/0/scale", 0, "saes[0].scale: must be in [1e-12, 1e+12], got 0"},
      {"/saes/0/scale", -1.5,
       "saes[0].scale: must be in [1e-12, 1e+12], got -1.5"},
      {"/saes/0/scale", "1",
       "saes[0].scale: must be a finite number, got \"1\""},
      {"/saes/0/recommended", kRemoved,
       "saes[0].recommended: must be an object, got nothing"},
      {"/saes/0/recommended/unit", "RAW",
       "saes[0].recommended.\"unit\"" + unknown},
      {"/saes/0/recommended/mode", "swap", mode + "\"swap\""},
      {"/saes/0/recommended/alpha", kRemoved,
       "saes[0].recommended.alpha: must be a finite number, got nothing"},
      {"/saes/0/concepts", kRemoved,
       "saes[0].concepts: must be an array of objects, got nothing"},
      {"/saes/0/concepts/1", "x",
       "saes[0].concepts[1]: must be an object, got \"x\""},
      {"/saes/0/concepts/1/kind", 1, "saes[0].concepts[1].\"kind\"" + unknown},
      {"/saes/0/concepts/1/name", "birth_city",
       "saes[0].concepts[1].name: must be distinct, got \"birth_city\" as in "
       "concepts[0]"},
      {"/saes/0/concepts/1/name", "",
       "saes[0].concepts[1].name: must be 1 to 128 bytes without control "
       "characters, got \"\""},
      {"/saes/0/concepts/1/slot", 0,
       "saes[0].concepts[1].slot: must be distinct, got 0 as in concepts[0]"},
      {"/saes/0/concepts/1/slot", -1,
       "saes[0].concepts[1].slot: must be an integer in [0, 16777215], got "
       "-1"},
      {"/saes/0/concepts/1/slot", 2.0,
       "saes[0].concepts[1].slot: must be an integer in [0, 16777215], got "
       "2.0"},
      {"/saes/0/concepts/0/description", kRemoved,
       "saes[0].concepts[0].description: must be a string, got nothing"},
      {"/saes/0/concepts/0/example", false,
       "saes[0].concepts[0].example: must be a string, got false"},
      {"/saes/0/concepts/0/active_mean", nullptr,
       "saes[0].concepts[0].active_mean: must be a finite number, got null"},
      {"/saes/0/concepts/0/threshold", kRemoved,
       "saes[0].concepts[0].threshold: must be a finite number, got nothing"},
  };
}

void ExpectRefused(const BadManifest& bad) {
  Json json = Json::parse(ManifestToJson(GoodManifest()));
  const Pointer pointer(bad.pointer);
  if (bad.value.is_discarded()) {
    json[pointer.parent_pointer()].erase(pointer.back());
  } else {
    json[pointer] = bad.value;
  }
  EXPECT_THAT(ParseManifest(json.dump()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("bundle.json: ", bad.error)))
      << bad.pointer;
}

TEST(ManifestTest, RefusesEveryBrokenRuleOfTheBundleWithItsSentence) {
  for (const BadManifest& bad : BadTopLevel()) ExpectRefused(bad);
}

TEST(ManifestTest, RefusesEveryBrokenRuleOfACheckpointWithItsSentence) {
  for (const BadManifest& bad : BadSaes()) ExpectRefused(bad);
}

TEST(ManifestTest, RefusesWhatIsNoStrictJsonObject) {
  const auto refused = [](absl::string_view text, const std::string& error) {
    EXPECT_THAT(ParseManifest(text).status(),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(error)));
  };
  refused("", "bundle.json: not strict JSON: ");
  refused("[]", "bundle.json: must be a JSON object, got []");
  refused(R"({"name": "a", "name": "b"})",
          "bundle.json: not strict JSON: duplicate key \"name\"");
  std::string text = ManifestToJson(GoodManifest());
  text.replace(text.find("21.5"), 4, "1e999");
  refused(text, "number overflow");
  refused("{\"evaluation\":" + std::string(100'000, '['),
          "nesting deeper than 16");
}

SaeConfig ConfigOf(const ManifestSae& sae) {
  SaeConfig config;
  config.d_model = 8;
  config.n_features = 16;
  config.hook = sae.hook;
  config.activation = ParseSaeActivation(sae.activation).value();
  config.k = 2;
  config.scale = sae.scale;
  config.concepts = sae.concepts;
  return config;
}

TEST(ManifestTest, MakesAnEntryThatAgreesWithItsCheckpoint) {
  const SaeConfig config = ConfigOf(GoodManifest().saes[0]);
  const ManifestSae entry = ManifestSaeOf("new", config);
  EXPECT_EQ(entry.name, "new");
  EXPECT_EQ(entry.path, "sae/new");
  EXPECT_OK(CheckSameAsManifest(config, entry));
  // Also when both went through their files.
  Manifest manifest = GoodManifest();
  manifest.saes[0] = entry;
  manifest.saes[0].sha256 = kHash;
  manifest.files["sae/new/sae_weights.safetensors"] = kHash;
  ASSERT_OK_AND_ASSIGN(const Manifest stored,
                       ParseManifest(ManifestToJson(manifest)));
  ASSERT_OK_AND_ASSIGN(const SaeConfig stored_config,
                       ParseSaeConfig(SaeConfigToJson(config)));
  EXPECT_OK(CheckSameAsManifest(stored_config, stored.saes[0]));
}

TEST(ManifestTest, NamesTheFieldWhereACheckpointSaysOtherwise) {
  const ManifestSae entry = GoodManifest().saes[0];
  const auto differs = [&entry](auto change, const std::string& error) {
    SaeConfig config = ConfigOf(entry);
    change(config);
    EXPECT_THAT(CheckSameAsManifest(config, entry),
                StatusIs(absl::StatusCode::kFailedPrecondition, error));
  };
  differs(
      [](SaeConfig& c) {
        c.hook = {HookKind::kResidPre, 4};
      },
      "hook: must be resid_post[3] as in bundle.json, got resid_pre[4]");
  differs([](SaeConfig& c) { c.activation = SaeActivation::kRelu; },
          "activation: must be topk as in bundle.json, got relu");
  differs([](SaeConfig& c) { c.scale = 21.25; },
          "scale: must be 21.5 as in bundle.json, got 21.25");
  differs([](SaeConfig& c) { c.concepts.pop_back(); },
          "concepts: must be 2 entries as in bundle.json, got 1");
  differs([](SaeConfig& c) { c.concepts[1].name = "x"; },
          "concepts[1].name: must be \"st\xc3\xa4"
          "dte\" as in bundle.json, "
          "got \"x\"");
  differs([](SaeConfig& c) { c.concepts[0].slot = 5; },
          "concepts[0].slot: must be 0 as in bundle.json, got 5");
  differs([](SaeConfig& c) { c.concepts[0].description = "?"; },
          "concepts[0].description: must be \"Where the person was born.\" as "
          "in bundle.json, got \"?\"");
  differs([](SaeConfig& c) { c.concepts[0].example = ""; },
          "concepts[0].example: must be \"Where was Ada born?\" as in "
          "bundle.json, got \"\"");
  differs([](SaeConfig& c) { c.concepts[0].active_mean = 4.25; },
          "concepts[0].active_mean: must be 4.1 as in bundle.json, got 4.25");
  differs([](SaeConfig& c) { c.concepts[1].threshold = 0; },
          "concepts[1].threshold: must be -2.0 as in bundle.json, got 0.0");
  differs([](SaeConfig& c) { c.concepts[1].certificate.emplace(); },
          "concepts[1].certificate: must be null as in bundle.json, got "
          "{\"cosine\":0.0,\"written_share\":0.0,\"predicted_alpha\":null}");
}

}  // namespace
}  // namespace alignsae
