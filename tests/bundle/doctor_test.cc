// The hook-point doctor on twenty checkpoints of twenty models, each as it was
// recorded and wrong in every way that it is to find.

#include "model/bundle/doctor.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/bundle/bundle.h"
#include "model/gpt2/gpt2.h"
#include "model/tokenizer/bpe_trainer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kDoctorTokens = 262;  // The bytes, merges and <|endoftext|>.
constexpr int kGood = 20;
constexpr SaeActivation kActivations[] = {
    SaeActivation::kRelu, SaeActivation::kTopK, SaeActivation::kIdentity,
    SaeActivation::kJumpRelu};

class DoctorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/doctor_test_", test->name());
    std::filesystem::remove_all(root_);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // Checkpoint `i` of its own model, with its facts.
  void Write(int i) {
    seed_ = i;
    Gpt2Config config = TinyGpt2Config();
    config.vocab_size = kDoctorTokens;
    Gpt2Weights weights = InitGpt2Weights(config, 50 + i);
    for (auto& [name, tensor] : weights.Named()) {
      if (tensor->dim() == 2) tensor->mul_(12);
    }
    std::filesystem::create_directories(root_ + "/model");
    ASSERT_OK(SaveGpt2(root_ + "/model", config, weights));
    WriteTokenizer("Ada was born in London, a city. Where was Ada born?");
    const Sae sae = TinySae({kHookKinds[i % 5], 1 + i % 2}, config.d_model,
                            300 + i, at::kCPU);
    config_ = sae.config();
    weights_ = sae.weights();
    Become(config_, kActivations[i % 4]);
    Save(config_);
    Record();
  }
  static void Become(SaeConfig& config, SaeActivation activation) {
    config.activation = activation;
    config.k = activation == SaeActivation::kTopK ? 2 : 0;
  }
  void WriteTokenizer(const std::string& text) {
    ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                         TrainBpe(std::vector<std::string>(4, text),
                                  {.vocab_size = kDoctorTokens}));
    ASSERT_OK(WriteFileAtomically(root_ + "/model/vocab.json",
                                  vocabulary.vocab_json));
    ASSERT_OK(WriteFileAtomically(root_ + "/model/merges.txt",
                                  vocabulary.merges_txt));
  }
  void Save(const SaeConfig& config) {
    SaeWeights weights = weights_;
    if (config.activation == SaeActivation::kJumpRelu) {
      weights.threshold = at::full({config.n_features}, 1.5);
    }
    ASSERT_OK(SaveSae(root_ + "/sae", config, weights));
  }
  void Record() {
    ASSERT_OK_AND_ASSIGN(const auto bundle,
                         Load({.whole_sae = true, .examine = false}));
    ASSERT_OK_AND_ASSIGN(
        const Recorded recorded,
        RecordFacts({*bundle->model, *bundle->tokenizer, bundle->saes[0]},
                    {"Ada was born in London.", "Where was Ada born?", "a city",
                     "Q: Where?\nA:", "born in a city", "Was Ada?"}));
    EXPECT_GT(recorded.nearest_deviation, kDoctorLimit) << seed_;
    ASSERT_OK(WriteFileAtomically(root_ + "/sae/doctor.json",
                                  DoctorFactsToJson(recorded.facts)));
  }

  absl::StatusOr<std::shared_ptr<const Bundle>> Load(
      const BundleOptions& options) const {
    return LoadParts(root_ + "/model", {root_ + "/sae"}, options);
  }
  // Half of the checkpoints are loaded whole, the others by their concepts.
  bool whole() const { return seed_ / 4 % 2 == 0; }
  // Refused with a sentence that has `what` in it.
  void ExpectRefused(const std::string& what) const {
    const absl::Status status = Load({.whole_sae = whole()}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition)
        << seed_ << " " << what << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what)) << seed_;
  }

  void ExpectKept() const {
    for (const WeightType type :
         {WeightType::kF32, WeightType::kBf16, WeightType::kInt8}) {
      if (!WhyUnsupported(type, "cpu").empty()) continue;
      ASSERT_OK_AND_ASSIGN(const auto bundle,
                           Load({.whole_sae = whole(), .weight_type = type}));
      EXPECT_THAT(bundle->warnings, IsEmpty());
    }
  }
  void ExpectRefusedAtOtherSites() {
    for (const int step : {-1, 1}) {
      SaeConfig wrong = config_;
      wrong.hook.layer += step;
      Save(wrong);
      ExpectRefused(
          absl::StrCat("hook: must be ", config_.hook.ToString(), ", where"));
    }
  }
  void ExpectRefusedWithOtherScaleAndActivation() {
    SaeConfig wrong = config_;
    wrong.scale *= 2;
    Save(wrong);
    ExpectRefused("scale: must be 2.5");
    for (const SaeActivation activation : kActivations) {
      if (activation == config_.activation) continue;
      if (seed_ >= 8 && activation != kActivations[(seed_ + 1) % 4]) continue;
      wrong = config_;
      Become(wrong, activation);
      Save(wrong);
      ExpectRefused("activation: must be the one that was recorded with");
    }
  }

  std::string root_;
  int seed_ = 0;
  SaeConfig config_;
  SaeWeights weights_;
};

TEST_F(DoctorTest, KeepsTwentyAsTheyWereRecordedAndRefusesEachWrongOne) {
  for (int i = 0; i < kGood; ++i) {
    Write(i);
    ExpectKept();
    ExpectRefusedAtOtherSites();
    ExpectRefusedWithOtherScaleAndActivation();
    Save(config_);
    WriteTokenizer("zz zz qq qq the quick brown fox jumps over quagga");
    ExpectRefused("tokenizer: must give the");
  }
}

TEST_F(DoctorTest, RefusesAnotherModelAndOtherWeights) {
  Write(1);
  SaeConfig same = config_;
  weights_.w_enc = weights_.w_enc.flip({0});
  Save(same);
  ExpectRefused("weights: must read the stored prompts as recorded");
  weights_.w_enc = weights_.w_enc.flip({0});
  Save(same);
  const std::string facts = ReadFile(root_ + "/sae/doctor.json").value();
  Write(6);  // The same kind of checkpoint on another model.
  ASSERT_OK(WriteFileAtomically(root_ + "/sae/doctor.json", facts));
  Save(same);
  ExpectRefused("doctor.json: ");
}

TEST_F(DoctorTest, SaysWhereNothingIsStored) {
  Write(0);
  std::filesystem::remove(root_ + "/sae/doctor.json");
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load({}));
  EXPECT_THAT(bundle->warnings,
              ElementsAre(HasSubstr("sae: has no stored prompts")));
}

TEST_F(DoctorTest, RefusesAFileThatIsNoRecord) {
  Write(0);
  for (const auto& [from, why] :
       std::vector<std::pair<std::string, std::string>>{
           {"{", "doctor.json: "},
           {R"({"format_version": 2, "prompts": []})", "format_version"},
           {R"({"format_version": 1, "prompts": []})",
            "prompts: must be 1 to 64 prompts, got 0"},
           {R"({"format_version": 1, "prompts": [{"text": "a",
             "token_ids": [1], "residual_norm": 1, "reconstruction_error": 1,
             "pre": [1], "values": [1, 2, 3]}]})",
            "pre: must be an array of 3 numbers"},
           {R"({"format_version": 1, "prompts": [{"text": "a",
             "token_ids": [1.5], "residual_norm": 1, "reconstruction_error": 1,
             "pre": [1, 2, 3], "values": [1, 2, 3]}]})",
            "token_ids: must be token ids, got 1.5"}}) {
    ASSERT_OK(WriteFileAtomically(root_ + "/sae/doctor.json", from));
    const absl::Status status = Load({}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << from;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  }
}

}  // namespace
}  // namespace alignsae
