// Bundles and parts of a tiny random model: what the catalog says, and that
// every way in which the parts do not belong together is refused.

#include "model/bundle/bundle.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/file.h"
#include "model/bundle/bundle_writer.h"
#include "model/bundle/checkpoint_change.h"
#include "model/bundle/upgrade.h"
#include "model/gpt2/gpt2.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/sae/written.h"
#include "model/tokenizer/bpe_trainer.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr int kTokens = 260;  // The bytes, a few merges and <|endoftext|>.
constexpr auto kUnfit = absl::StatusCode::kFailedPrecondition;

class BundleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/bundle_test_", test->name());
    std::filesystem::remove_all(root_);
    ASSERT_OK(WriteBundleAtomically(
        root_,
        [this](const std::string& directory) { return Fill(directory); }));
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // A good bundle, with checkpoints "main" and "other".
  absl::Status Fill(const std::string& directory) {
    model_config_ = TinyGpt2Config();
    model_config_.vocab_size = kTokens + 4;
    std::filesystem::create_directories(directory + "/gpt2");
    Gpt2Weights weights = InitGpt2Weights(model_config_, 7);
    ALIGNSAE_RETURN_IF_ERROR(
        SaveGpt2(directory + "/gpt2", model_config_, weights));
    ALIGNSAE_RETURN_IF_ERROR(WriteTokenizer(directory + "/gpt2", kTokens));
    manifest_.name = "tiny";
    manifest_.version = "0.1";
    manifest_.model_path = "gpt2";
    manifest_.prompt_template = "Q: {question}\nA:";
    manifest_.evaluation = {{"swap", 0.5}};
    ALIGNSAE_RETURN_IF_ERROR(
        AddSae(directory, "main", {HookKind::kResidPre, 2}, 100));
    ALIGNSAE_RETURN_IF_ERROR(
        AddSae(directory, "other", {HookKind::kResidPost, 3}, 200));
    manifest_.saes[1].recommended_mode = InterventionMode::kAddNormMatched;
    manifest_.saes[1].recommended_alpha = 1.5;
    return WriteManifestWithHashes(directory, manifest_);
  }

  absl::Status AddSae(const std::string& directory, const std::string& name,
                      HookPoint hook, uint64_t seed) {
    const Sae sae = TinySae(hook, model_config_.d_model, seed);
    manifest_.saes.push_back(ManifestSaeOf(name, sae.config()));
    return SaveSae(absl::StrCat(directory, "/sae/", name), sae.config(),
                   sae.weights());
  }

  static absl::Status WriteTokenizer(const std::string& directory, int size) {
    const std::vector<std::string> texts(4, "Ada was born in London, a city.");
    ALIGNSAE_ASSIGN_OR_RETURN(const BpeVocabulary vocabulary,
                              TrainBpe(texts, {.vocab_size = size}));
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(directory + "/vocab.json", vocabulary.vocab_json));
    return WriteFileAtomically(directory + "/merges.txt",
                               vocabulary.merges_txt);
  }

  std::string Path(const std::string& name) const {
    return absl::StrCat(root_, "/", name);
  }
  absl::StatusOr<std::shared_ptr<const Bundle>> Load() const {
    return LoadBundle(root_, {.examine = false});
  }
  void Rewrite(const std::string& name, const std::string& from,
               const std::string& to) const {
    ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(Path(name)));
    ASSERT_THAT(text, HasSubstr(from));
    ASSERT_OK(WriteFileAtomically(Path(name),
                                  absl::StrReplaceAll(text, {{from, to}})));
    if (name != "bundle.json") Hash();
  }
  // bundle.json with the hashes of the files as they are.
  void Hash() const { ASSERT_OK(WriteManifestWithHashes(root_, manifest_)); }
  // Saves checkpoint "main" anew, changed, with its new hash in bundle.json and
  // all else there as it was.
  void ReplaceMain(int d_model, const std::function<void(SaeConfig&)>& change) {
    const Sae sae = TinySae({HookKind::kResidPre, 2}, d_model, 100);
    SaeConfig config = sae.config();
    change(config);
    ASSERT_OK(SaveSae(Path("sae/main"), config, sae.weights()));
    ASSERT_OK(WriteManifestWithHashes(root_, manifest_));
  }

  void Certify(const std::function<void(WriteCertificate&)>& change);

  std::string root_;
  Gpt2Config model_config_;
  Manifest manifest_;
};

TEST_F(BundleTest, DescribesWhatItLoadedInTheCatalog) {
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  const Catalog& catalog = *bundle->catalog;
  EXPECT_EQ(catalog.bundle_name, "tiny");
  EXPECT_EQ(catalog.model.name, "tiny");
  EXPECT_EQ(catalog.model.version, "0.1");
  EXPECT_THAT(Sha256OfFile(Path("gpt2/model.safetensors")),
              IsOkAndHolds(catalog.model.sha256));
  EXPECT_EQ(catalog.model.n_layer, 4);
  EXPECT_EQ(catalog.model.n_head, 4);
  EXPECT_EQ(catalog.model.d_model, 32);
  EXPECT_EQ(catalog.model.context_length, 48);
  EXPECT_EQ(catalog.model.vocab_size, kTokens + 4);
  EXPECT_EQ(catalog.model.prompt_template, "Q: {question}\nA:");
  ASSERT_EQ(catalog.checkpoints.size(), 2u);
  ASSERT_EQ(bundle->saes.size(), 2u);
  const CheckpointInfo& main = catalog.checkpoints[0];
  EXPECT_EQ(main.name, "main");
  EXPECT_THAT(Sha256OfFile(Path("sae/main/sae_weights.safetensors")),
              IsOkAndHolds(main.sha256));
  EXPECT_EQ(main.hook, (HookPoint{HookKind::kResidPre, 2}));
  EXPECT_EQ(main.activation, "relu");
  EXPECT_EQ(main.scale, 2.5);
  EXPECT_EQ(main.n_features, 24);
  EXPECT_FALSE(main.whole_sae_loaded);
  EXPECT_EQ(main.recommended_mode, InterventionMode::kSwap);
  EXPECT_EQ(main.recommended_alpha, 1);
  EXPECT_EQ(main.evaluation_json, "{\"swap\":0.5}");
  EXPECT_EQ(catalog.checkpoints[1].name, "other");
  EXPECT_EQ(catalog.checkpoints[1].recommended_mode,
            InterventionMode::kAddNormMatched);
  EXPECT_EQ(catalog.checkpoints[1].recommended_alpha, 1.5);
}

TEST_F(BundleTest, DescribesConceptsInTheBundlesOrder) {
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  const auto& concepts = bundle->catalog->checkpoints[0].concepts;
  ASSERT_EQ(concepts.size(), 3u);
  const at::Tensor w_dec =
      TinySae({HookKind::kResidPre, 2}, 32, 100).weights().w_dec;  // [F, D]
  std::vector<int> slots;
  for (const Concept& info : concepts) {
    slots.push_back(info.slot);
    EXPECT_EQ(info.name, absl::StrCat("concept_", info.slot));
    EXPECT_EQ(info.active_mean, 1.5 + 0.1 * info.slot);
    EXPECT_EQ(info.threshold, 0.2);
    EXPECT_NEAR(info.decoder_norm, w_dec[info.slot].norm().item<double>(),
                1e-6);
  }
  EXPECT_THAT(slots, ElementsAre(3, 0, 17));
}

// Writes class means and certificates that follow from them into "main", with
// `change` applied to them, and bundle.json with the same.
void BundleTest::Certify(const std::function<void(WriteCertificate&)>& change) {
  ASSERT_OK_AND_ASSIGN(const Sae sae,
                       Sae::Load(Path("sae/main"), Sae::LoadMode::kWhole));
  const at::Tensor means = UniformTensor({3, 32}, 4, 55);
  ASSERT_OK_AND_ASSIGN(const auto measured, MeasureWritten(sae, means));
  SaeConfig config = sae.config();
  for (size_t r = 0; r < measured.size(); ++r) {
    WriteCertificate certificate = measured[r];
    certificate.measured_swap = MeasuredSwapOf(9, 10, 2, 3);
    if (r == 1) change(certificate);
    config.concepts[r].certificate = certificate;
  }
  ASSERT_OK(SaveSae(Path("sae/main"), config, sae.weights()));
  ASSERT_OK(SaveClassMeans(Path("sae/main"), means));
  manifest_.saes[0].concepts = config.concepts;
  Hash();
}

TEST_F(BundleTest, CertificatesAreRecomputedAndInTheCatalog) {
  Certify([](WriteCertificate&) {});
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  const auto& concepts = bundle->catalog->checkpoints[0].concepts;
  ASSERT_TRUE(concepts[1].certificate.has_value());
  EXPECT_EQ(concepts[1].certificate, manifest_.saes[0].concepts[1].certificate);
  EXPECT_EQ(bundle->catalog->checkpoints[1].concepts[1].certificate,
            std::nullopt);
  // The class means are one of the files that bundle.json lists.
  ASSERT_OK_AND_ASSIGN(const std::string json, ReadFile(Path("bundle.json")));
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(json));
  EXPECT_EQ(manifest.files.count("sae/main/class_means.safetensors"), 1u);
}

TEST_F(BundleTest, AnEditedCertificateIsRefusedAlsoWhereAllFilesAgree) {
  const auto refused = [this](const std::string& words) {
    EXPECT_THAT(Load(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(Path("sae/main/cfg.json: alignsae.concepts"
                                        "[1].certificate.") +
                                   words + ": must be ")));
    // As parts too: the server takes a checkpoint by itself.
    EXPECT_THAT(LoadParts(Path("gpt2"), {Path("sae/main")}, {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(words)));
  };
  Certify([](WriteCertificate& c) { c.cosine = -c.cosine + 0.01; });
  refused("cosine");
  Certify([](WriteCertificate& c) { c.written_share += 0.5; });
  refused("written_share");
  Certify([](WriteCertificate&) {});
  EXPECT_OK(Load());
}

TEST_F(BundleTest, LoadsTheWholeSaeWhenAsked) {
  ASSERT_OK_AND_ASSIGN(const auto bundle,
                       LoadBundle(root_, {.whole_sae = true}));
  EXPECT_TRUE(bundle->saes[0].whole());
  EXPECT_TRUE(bundle->catalog->checkpoints[0].whole_sae_loaded);
}

TEST_F(BundleTest, TakesTheEndOfTextFromTheTokenizerWhereTheConfigHasNone) {
  ASSERT_OK_AND_ASSIGN(const auto from_tokenizer, Load());
  EXPECT_THAT(from_tokenizer->catalog->model.eos_token_ids,
              ElementsAre(from_tokenizer->tokenizer->eos_token_id()));
  EXPECT_GE(from_tokenizer->tokenizer->eos_token_id(), 256);
  Rewrite("gpt2/config.json", "\"eos_token_id\": null", "\"eos_token_id\": 5");
  ASSERT_OK_AND_ASSIGN(const auto from_config, Load());
  EXPECT_THAT(from_config->catalog->model.eos_token_ids, ElementsAre(5));
  EXPECT_THAT(from_config->warnings, IsEmpty());
}

TEST_F(BundleTest, TakesEndTokensOfTheGenerationConfigBeforeTheOthers) {
  Rewrite("gpt2/config.json", "\"eos_token_id\": null", "\"eos_token_id\": 5");
  ASSERT_OK(WriteFileAtomically(Path("gpt2/generation_config.json"),
                                R"({"eos_token_id": [7, 9]})"));
  Hash();
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  EXPECT_THAT(bundle->catalog->model.eos_token_ids, ElementsAre(7, 9));
  ASSERT_OK(WriteFileAtomically(Path("gpt2/generation_config.json"),
                                R"({"eos_token_id": null})"));
  Hash();
  ASSERT_OK_AND_ASSIGN(const auto silent, Load());
  EXPECT_THAT(silent->catalog->model.eos_token_ids, ElementsAre(5));
}

TEST_F(BundleTest, WarnsOfEndTokensOutsideOfTheVocabularyAndLooksFurther) {
  Rewrite("gpt2/config.json", "\"eos_token_id\": null",
          "\"eos_token_id\": 50256");
  ASSERT_OK(WriteFileAtomically(Path("gpt2/generation_config.json"),
                                R"({"eos_token_id": 50257})"));
  Hash();
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  EXPECT_THAT(bundle->catalog->model.eos_token_ids,
              ElementsAre(bundle->tokenizer->eos_token_id()));
  EXPECT_THAT(
      bundle->warnings,
      ElementsAre(HasSubstr(Path("gpt2/config.json: eos_token_id: 50256")),
                  HasSubstr(Path("gpt2/generation_config.json: eos_token_id: "
                                 "50257"))));
}

TEST_F(BundleTest, SaysInWhichOtherFormTheWeightsLie) {
  std::filesystem::rename(Path("gpt2/model.safetensors"),
                          Path("gpt2/pytorch_model.bin"));
  EXPECT_THAT(Load(),
              StatusIs(kUnfit, HasSubstr(Path("gpt2/pytorch_model.bin"))));
}

TEST_F(BundleTest, RefusesWeightsWithAnotherHash) {
  for (const std::string name :
       {"gpt2/model.safetensors", "sae/other/sae_weights.safetensors"}) {
    ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(Path(name)));
    std::string bad = good;
    bad[bad.size() - 2] ^= 1;  // One bit of a weight: still a valid file.
    ASSERT_OK(WriteFileAtomically(Path(name), bad));
    EXPECT_THAT(
        Load(),
        StatusIs(absl::StatusCode::kDataLoss,
                 absl::StrCat(Path(name), ": sha256: must be ", Sha256Hex(good),
                              " as in bundle.json, got ", Sha256Hex(bad))));
    // Whoever turns the check off gets the catalog of bundle.json.
    ASSERT_OK_AND_ASSIGN(const auto unchecked,
                         LoadBundle(root_, {.verify_hashes = false}));
    EXPECT_THAT(
        (std::vector<std::string>{unchecked->catalog->model.sha256,
                                  unchecked->catalog->checkpoints[1].sha256}),
        testing::Contains(Sha256Hex(good)));
    ASSERT_OK(WriteFileAtomically(Path(name), good));
  }
}

TEST_F(BundleTest, RefusesAnyLoadedFileThatChanged) {
  for (const std::string name :
       {"gpt2/config.json", "gpt2/vocab.json", "gpt2/merges.txt",
        "gpt2/generation_config.json", "gpt2/tokenizer.json",
        "sae/main/cfg.json", "sae/other/cfg.json"}) {
    if (!FileExists(Path(name))) continue;
    ASSERT_OK_AND_ASSIGN(const std::string good, ReadFile(Path(name)));
    ASSERT_OK(WriteFileAtomically(Path(name), good + " "));  // Still valid.
    EXPECT_THAT(Load(),
                StatusIs(absl::StatusCode::kDataLoss,
                         HasSubstr(absl::StrCat(Path(name), ": sha256"))))
        << name;
    ASSERT_OK(WriteFileAtomically(Path(name), good));
  }
  EXPECT_OK(Load());
}

TEST_F(BundleTest, RefusesAFileThatWouldBeLoadedAndIsNotListed) {
  for (const std::string name :
       {"gpt2/generation_config.json", "gpt2/tokenizer.json",
        "sae/main/extra.json"}) {
    ASSERT_OK(WriteFileAtomically(Path(name), "{}"));
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kDataLoss,
                                 absl::StrCat(Path(name),
                                              ": must be listed in "
                                              "bundle.json's files, or not be "
                                              "there")));
    std::filesystem::remove(Path(name));
  }
  ASSERT_OK(WriteFileAtomically(Path("gpt2/README.md"), "text"));
  EXPECT_OK(Load());
}

TEST_F(BundleTest, TheIdentityChangesWithEveryFileAndWithTheTemplate) {
  ASSERT_OK_AND_ASSIGN(const auto before, Load());
  EXPECT_THAT(Sha256OfFile(Path("bundle.json")),
              IsOkAndHolds(before->catalog->model.bundle_sha256));
  Rewrite("gpt2/config.json", "\"eos_token_id\": null", "\"eos_token_id\": 5");
  ASSERT_OK_AND_ASSIGN(const auto other_config, Load());
  EXPECT_EQ(other_config->catalog->model.sha256, before->catalog->model.sha256);
  EXPECT_NE(other_config->catalog->model.bundle_sha256,
            before->catalog->model.bundle_sha256);
  manifest_.prompt_template = "{question}";
  Hash();
  ASSERT_OK_AND_ASSIGN(const auto other_template, Load());
  EXPECT_NE(other_template->catalog->model.bundle_sha256,
            other_config->catalog->model.bundle_sha256);
}

// Makes bundle.json what version 1 was.
void Downgrade(const std::string& path) {
  auto json = nlohmann::ordered_json::parse(ReadFile(path).value());
  json["format_version"] = 1;
  json.erase("files");
  json["provenance"].erase("commits");
  json["provenance"]["commit"] = "abc";
  ASSERT_OK(WriteFileAtomically(path, json.dump(2)));
}

TEST_F(BundleTest, Version1IsRefusedWithTheCommandThatUpgradesIt) {
  Downgrade(Path("bundle.json"));
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("alignsae-train bundle upgrade DIR")));
  EXPECT_THAT(UpgradeBundle(root_), IsOkAndHolds(1));
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load());
  EXPECT_EQ(bundle->catalog->bundle_name, "tiny");
  ASSERT_OK_AND_ASSIGN(const std::string once, ReadFile(Path("bundle.json")));
  ASSERT_OK_AND_ASSIGN(const Manifest manifest, ParseManifest(once));
  EXPECT_EQ(manifest.provenance_commits.at("all"), "abc");
  EXPECT_EQ(manifest.files.size(), 8u);
  // Again: nothing to do.
  EXPECT_THAT(UpgradeBundle(root_), IsOkAndHolds(2));
  EXPECT_THAT(ReadFile(Path("bundle.json")), IsOkAndHolds(once));
}

TEST_F(BundleTest, AnUpgradeThatIsRefusedChangesNothing) {
  Downgrade(Path("bundle.json"));
  ASSERT_OK_AND_ASSIGN(const std::string old, ReadFile(Path("bundle.json")));
  ASSERT_OK_AND_ASSIGN(std::string weights,
                       ReadFile(Path("gpt2/model.safetensors")));
  weights[weights.size() - 2] ^= 1;
  ASSERT_OK(WriteFileAtomically(Path("gpt2/model.safetensors"), weights));
  EXPECT_THAT(UpgradeBundle(root_),
              StatusIs(absl::StatusCode::kDataLoss,
                       HasSubstr("gpt2/model.safetensors: sha256: must be")));
  EXPECT_THAT(ReadFile(Path("bundle.json")), IsOkAndHolds(old));
  const std::string bad =
      absl::StrReplaceAll(old, {{"\"path\": \"gpt2\"", "\"path\": \"..\""}});
  ASSERT_OK(WriteFileAtomically(Path("bundle.json"), bad));
  EXPECT_THAT(UpgradeBundle(root_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("model.path: must be a relative path")));
  ASSERT_OK(
      WriteFileAtomically(Path("bundle.json"), "{\"format_version\": 3}"));
  EXPECT_THAT(UpgradeBundle(root_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("format_version: must be an integer")));
  EXPECT_THAT(ReadFile(Path("bundle.json")),
              IsOkAndHolds("{\"format_version\": 3}"));
}

TEST_F(BundleTest, NamesTheDirectoryOfABadManifest) {
  Rewrite("bundle.json", "\"format_version\": 2", "\"format_version\": 3");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               absl::StrCat(root_,
                                            "/bundle.json: format_version: "
                                            "must be an integer in [2, 2], "
                                            "got 3")));
}

TEST_F(BundleTest, NamesTheFileThatIsMissing) {
  for (const std::string name :
       {"bundle.json", "gpt2/config.json", "gpt2/model.safetensors",
        "gpt2/vocab.json", "gpt2/merges.txt", "sae/main/cfg.json",
        "sae/main/sae_weights.safetensors"}) {
    const std::string away = Path("away");
    std::filesystem::rename(Path(name), away);
    EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kNotFound,
                                 AllOf(StartsWith(root_), HasSubstr(name))))
        << name;
    std::filesystem::rename(away, Path(name));
  }
  EXPECT_OK(Load());
}

TEST_F(BundleTest, NamesTheFileThatIsBad) {
  Rewrite("gpt2/config.json", "\"n_head\": 4", "\"n_head\": 5");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               StartsWith(Path("gpt2/config.json: n_embd"))));
  Rewrite("gpt2/config.json", "\"n_head\": 5", "\"n_head\": 4");
  Rewrite("sae/main/cfg.json", "\"d_sae\": 24", "\"d_sae\": 0");
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               StartsWith(Path("sae/main/cfg.json: d_sae"))));
}

TEST_F(BundleTest, RefusesACheckpointOfAnotherWidth) {
  ReplaceMain(/*d_model=*/16, [](SaeConfig&) {});
  EXPECT_THAT(Load(), StatusIs(kUnfit, Path("sae/main/cfg.json: d_in: must be "
                                            "32, the model's d_model, got "
                                            "16")));
}

TEST_F(BundleTest, RefusesACheckpointOfALayerThatTheModelLacks) {
  manifest_.saes[0].hook.layer = 4;
  ReplaceMain(/*d_model=*/32, [](SaeConfig& c) { c.hook.layer = 4; });
  EXPECT_THAT(Load(), StatusIs(kUnfit, Path("sae/main/cfg.json: hook.layer: "
                                            "must be in [0, 3], got 4; the "
                                            "model has 4 blocks")));
}

TEST_F(BundleTest, RefusesACheckpointThatSaysOtherwiseThanTheManifest) {
  ReplaceMain(/*d_model=*/32, [](SaeConfig& c) { c.concepts[1].slot = 9; });
  EXPECT_THAT(Load(), StatusIs(kUnfit, Path("sae/main/cfg.json: "
                                            "concepts[1].slot: must be 0 as in "
                                            "bundle.json, got 9")));
  ReplaceMain(/*d_model=*/32, [](SaeConfig& c) { c.scale = 3; });
  EXPECT_THAT(Load(), StatusIs(kUnfit, Path("sae/main/cfg.json: scale: must be "
                                            "2.5 as in bundle.json, got 3.0")));
}

TEST_F(BundleTest, RefusesATokenizerWithMoreTokensThanTheModel) {
  model_config_.vocab_size = kTokens - 1;
  Gpt2Weights weights = InitGpt2Weights(model_config_, 7);
  ASSERT_OK(SaveGpt2(Path("gpt2"), model_config_, weights));
  ASSERT_OK(WriteManifestWithHashes(root_, manifest_));
  EXPECT_THAT(
      Load(),
      StatusIs(kUnfit, Path(absl::StrCat(
                           "gpt2: tokenizer: must have at most ", kTokens - 1,
                           " tokens, the model's vocab_size, got ", kTokens))));
}

TEST_F(BundleTest, LoadsPartsNamedAfterTheirDirectories) {
  ASSERT_OK_AND_ASSIGN(
      const auto bundle,
      LoadParts(Path("gpt2/"), {Path("sae/other/"), Path("sae/main")}, {}));
  const Catalog& catalog = *bundle->catalog;
  EXPECT_EQ(catalog.bundle_name, "");
  EXPECT_EQ(catalog.model.name, "gpt2");
  EXPECT_EQ(catalog.model.prompt_template, "");
  EXPECT_THAT(Sha256OfFile(Path("gpt2/model.safetensors")),
              IsOkAndHolds(catalog.model.sha256));
  ASSERT_EQ(catalog.checkpoints.size(), 2u);
  EXPECT_EQ(catalog.checkpoints[0].name, "other");
  EXPECT_EQ(catalog.checkpoints[1].name, "main");
  EXPECT_EQ(catalog.checkpoints[1].recommended_mode, std::nullopt);
  EXPECT_EQ(catalog.checkpoints[1].evaluation_json, "");
  EXPECT_EQ(catalog.FindCheckpoint("main"), 1);
}

// The model's one file becomes two of its tensors' halves and an index.
void CutIntoShards(const std::string& directory) {
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile whole,
                       SafetensorsFile::Open(directory + "/model.safetensors"));
  std::vector<std::pair<std::string, at::Tensor>> halves[2];
  nlohmann::json map;
  for (const auto& [name, entry] : whole.header().tensors) {
    const int half = map.size() % 2;
    ASSERT_OK_AND_ASSIGN(const at::Tensor tensor,
                         ReadFloatTensor(whole, name, entry.shape));
    halves[half].emplace_back(name, tensor);
    map[name] = absl::StrCat("part-", half, ".safetensors");
  }
  for (int half : {0, 1}) {
    ASSERT_OK(
        WriteTensors(absl::StrCat(directory, "/part-", half, ".safetensors"),
                     halves[half], {}));
  }
  ASSERT_OK(WriteFileAtomically(directory + "/model.safetensors.index.json",
                                nlohmann::json{{"weight_map", map}}.dump()));
}

TEST_F(BundleTest, LoadsShardsAndHashesTheirIndexAndEachOfThem) {
  CutIntoShards(Path("gpt2"));
  ASSERT_OK_AND_ASSIGN(const auto stale, LoadParts(Path("gpt2"), {}, {}));
  EXPECT_THAT(stale->warnings,
              ElementsAre(HasSubstr("gpt2/model.safetensors.index.json: not "
                                    "read, because model.safetensors")));
  ASSERT_TRUE(std::filesystem::remove(Path("gpt2/model.safetensors")));
  ASSERT_OK_AND_ASSIGN(const auto bundle, LoadParts(Path("gpt2"), {}, {}));
  EXPECT_THAT(bundle->warnings, IsEmpty());
  std::string lines;
  for (const char* name : {"model.safetensors.index.json", "part-0.safetensors",
                           "part-1.safetensors"}) {
    ASSERT_OK_AND_ASSIGN(const std::string hash,
                         Sha256OfFile(Path(absl::StrCat("gpt2/", name))));
    absl::StrAppend(&lines, hash, "  ", name, "\n");
  }
  EXPECT_EQ(bundle->catalog->model.sha256, Sha256Hex(lines));
  ASSERT_OK_AND_ASSIGN(const auto unhashed,
                       LoadParts(Path("gpt2"), {}, {.verify_hashes = false}));
  EXPECT_EQ(unhashed->catalog->model.sha256, "");
  ASSERT_TRUE(std::filesystem::remove(Path("gpt2/part-1.safetensors")));
  EXPECT_THAT(LoadParts(Path("gpt2"), {}, {}),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("must name files that are there, got "
                                 "\"part-1.safetensors\"")));
  // A bundle lists one file of weights.
  EXPECT_THAT(
      Load(),
      StatusIs(kUnfit, HasSubstr(Path("gpt2/model.safetensors.index"))));
}

TEST_F(BundleTest, LoadsAModelWithoutCheckpoints) {
  ASSERT_OK_AND_ASSIGN(const auto bundle,
                       LoadParts(Path("gpt2"), {}, {.verify_hashes = false}));
  EXPECT_THAT(bundle->catalog->checkpoints, IsEmpty());
  EXPECT_THAT(bundle->saes, IsEmpty());
  EXPECT_EQ(bundle->catalog->model.sha256, "");
  EXPECT_EQ(bundle->model->facts().n_layer, 4);
}

TEST_F(BundleTest, RefusesTwoPartsOfOneName) {
  EXPECT_THAT(
      LoadParts(Path("gpt2"), {Path("sae/main"), Path("sae/main/")}, {}),
      StatusIs(absl::StatusCode::kInvalidArgument,
               Path("sae/main/: must have another name than the checkpoints "
                    "before it, got \"main\" again")));
}

TEST_F(BundleTest, RefusesPartsThatDoNotFit) {
  ReplaceMain(/*d_model=*/16, [](SaeConfig&) {});
  EXPECT_THAT(LoadParts(Path("gpt2"), {Path("sae/main")}, {}),
              StatusIs(kUnfit, HasSubstr("d_in: must be 32")));
}

std::vector<std::string> NamesOf(const Bundle& bundle) {
  std::vector<std::string> names;
  for (const CheckpointInfo& info : bundle.catalog->checkpoints) {
    names.push_back(info.name);
  }
  return names;
}

TEST_F(BundleTest, PutsACheckpointBesideAndInAPlace) {
  ASSERT_OK_AND_ASSIGN(const auto base, Load());
  ASSERT_OK_AND_ASSIGN(const auto more,
                       WithCheckpoint(*base, {root_, "other", "third"}, {}));
  EXPECT_THAT(NamesOf(*more), ElementsAre("main", "other", "third"));
  EXPECT_EQ(more->model, base->model);
  EXPECT_EQ(more->tokenizer, base->tokenizer);
  EXPECT_EQ(more->catalog->checkpoints[2].recommended_alpha, 1.5);
  EXPECT_EQ(more->catalog->checkpoints[2].version, "0.1");
  EXPECT_EQ(more->saes[2].config().hook, base->saes[1].config().hook);
  EXPECT_THAT(NamesOf(*base), ElementsAre("main", "other"));
  // Alone, it says less, and is called as its folder is.
  ASSERT_OK_AND_ASSIGN(const auto replaced,
                       WithCheckpoint(*more, {Path("sae/main"), "", ""}, {}));
  EXPECT_THAT(NamesOf(*replaced), ElementsAre("main", "other", "third"));
  EXPECT_FALSE(replaced->catalog->checkpoints[0].recommended_mode.has_value());
  EXPECT_EQ(replaced->catalog->checkpoints[0].version, "");
  EXPECT_EQ(replaced->saes.size(), 3u);
  ASSERT_OK_AND_ASSIGN(const auto first, WithDefault(*replaced, "third"));
  EXPECT_THAT(NamesOf(*first), ElementsAre("third", "main", "other"));
  EXPECT_EQ(first->saes[0].config().hook, more->saes[2].config().hook);
  ASSERT_OK_AND_ASSIGN(const auto less, WithoutCheckpoint(*first, "main"));
  EXPECT_THAT(NamesOf(*less), ElementsAre("third", "other"));
  EXPECT_EQ(less->saes[1].config().hook, more->saes[1].config().hook);
  EXPECT_THAT(WithoutCheckpoint(*less, "main"),
              StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(BundleTest, RefusesACheckpointThatIsNotTheModels) {
  ASSERT_OK_AND_ASSIGN(const auto base, Load());
  EXPECT_THAT(WithCheckpoint(*base, {root_, "", ""}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("(main, other), got none")));
  EXPECT_THAT(WithCheckpoint(*base, {root_, "third", ""}, {}),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("must be one of main, other")));
  EXPECT_THAT(WithCheckpoint(*base, {Path("sae/main"), "main", ""}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must be empty, as it is no bundle")));
  EXPECT_THAT(WithCheckpoint(*base, {root_, "main", "a\nb"}, {}),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("name")));
  // A damaged neighbour is nobody's business; the checkpoint's own files are.
  Rewrite("sae/other/cfg.json", "resid_post", "resid_post ");
  EXPECT_FALSE(WithCheckpoint(*base, {root_, "other", ""}, {}).ok());
  // The same checkpoint for another model.
  manifest_.name = "tiny";
  ASSERT_OK_AND_ASSIGN(std::string text, ReadFile(Path("bundle.json")));
  const std::string sha256 = base->catalog->model.sha256;
  ASSERT_OK(WriteFileAtomically(
      Path("bundle.json"),
      absl::StrReplaceAll(text, {{sha256, std::string(64, '0')}})));
  EXPECT_THAT(WithCheckpoint(*base, {root_, "main", ""}, {}),
              StatusIs(kUnfit, HasSubstr("model: must be the one that is "
                                         "loaded, sha256 " +
                                         sha256)));
}

}  // namespace
}  // namespace alignsae
