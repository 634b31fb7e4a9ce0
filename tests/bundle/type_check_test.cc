// A number type that misleads is noticed, said, and gives way.

#include "model/bundle/type_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/bundle/bundle.h"
#include "model/bundle/families.h"
#include "model/gpt2/gpt2.h"
#include "model/tokenizer/bpe_trainer.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kVocabulary = 300;
const char kHash[] = "0123456789abcdef";

Gpt2Config Config() {
  Gpt2Config config;
  config.n_layer = 3;
  config.n_head = 4;
  config.d_model = 64;
  config.d_inner = 128;
  config.context_length = 48;
  config.vocab_size = kVocabulary;
  return config;
}

// Two channels of the values of every block times `gain`, and the matrix behind
// attention over it: the same function, but in a product in 8 bits these two
// take the digits of all others. No layer norm lies between to fold it into.
Gpt2Weights WithStrongValues(double gain) {
  Gpt2Weights weights = WideWeights(Config(), 5);
  const int64_t values = 2 * Config().d_model;
  for (Gpt2Block& block : weights.blocks) {
    for (int64_t channel : {7, 40}) {
      block.c_attn_weight.select(1, values + channel) *= gain;
      block.c_attn_bias[values + channel] *= gain;
      block.attn_proj_weight[channel] /= gain;
    }
  }
  return weights;
}

class TypeCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!WhyUnsupported(WeightType::kInt8, "cpu").empty() ||
        !WhyUnsupported(WeightType::kBf16, "cpu").empty()) {
      GTEST_SKIP() << "this machine has no int8 and bf16";
    }
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/type_check_", test->name());
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/model");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Save(double gain) {
    Gpt2Weights weights = WithStrongValues(gain);
    ASSERT_OK(SaveGpt2(Model(), Config(), weights));
    const std::vector<std::string> texts(4, "Ada was born in London, a city.");
    ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                         TrainBpe(texts, {.vocab_size = 270}));
    ASSERT_OK(
        WriteFileAtomically(Model() + "/vocab.json", vocabulary.vocab_json));
    ASSERT_OK(
        WriteFileAtomically(Model() + "/merges.txt", vocabulary.merges_txt));
  }

  std::string Model() const { return root_ + "/model"; }
  TypeCheck Check() const { return {Model(), kHash, root_ + "/cache"}; }

  absl::StatusOr<TypeMeasurement> Measure(WeightType type) {
    ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2 model,
                              Gpt2::Load(Model(), at::kCPU, type));
    return MeasureType(model, Check(), warnings_);
  }

  absl::StatusOr<std::shared_ptr<const Bundle>> Load(bool check) {
    return LoadParts(Model(), {},
                     {.weight_type = WeightType::kInt8,
                      .check_weight_type = check,
                      .cache_directory = root_ + "/cache"});
  }

  std::string root_;
  std::vector<std::string> warnings_;
};

TEST_F(TypeCheckTest, GoodTypeStaysAndIsSaid) {
  Save(1);
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load(true));
  const ModelInfo& model = bundle->catalog->model;
  EXPECT_EQ(model.weight_type, "int8");
  EXPECT_THAT(model.weight_type_why, HasSubstr("int8: KL "));
  ASSERT_EQ(model.type_measurements.size(), 1u);
  EXPECT_EQ(model.type_measurements[0].positions, 128);
  EXPECT_LT(model.type_measurements[0].kl, 0.02);
  EXPECT_GT(model.type_measurements[0].kl, 0);
}

TEST_F(TypeCheckTest, StrongValueChannelsMakeInt8GiveWayToBf16) {
  Save(300);
  ASSERT_OK_AND_ASSIGN(const auto bundle, Load(true));
  const ModelInfo& model = bundle->catalog->model;
  EXPECT_EQ(bundle->model->weight_type(), WeightType::kBf16);
  EXPECT_EQ(model.weight_type, "bf16");
  EXPECT_THAT(model.weight_type_why, HasSubstr("which misleads; bf16: KL "));
  ASSERT_EQ(model.type_measurements.size(), 2u);
  EXPECT_TRUE(model.type_measurements[0].misleads());
  EXPECT_GT(model.type_measurements[0].kl, 0.02);
  EXPECT_LT(model.type_measurements[1].kl, 0.005);
  // Asked not to look, it runs what it was asked for and says so.
  ASSERT_OK_AND_ASSIGN(const auto blind, Load(false));
  EXPECT_EQ(blind->catalog->model.weight_type, "int8");
  EXPECT_THAT(blind->catalog->model.weight_type_why, HasSubstr("not measured"));
}

TEST_F(TypeCheckTest, FigureIsKeptAndFoundAgainForTheSameModelOnly) {
  Save(1);
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement first, Measure(WeightType::kInt8));
  EXPECT_FALSE(first.cached);
  EXPECT_GT(first.seconds, 0);
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement again, Measure(WeightType::kInt8));
  EXPECT_TRUE(again.cached);
  EXPECT_EQ(again.kl, first.kl);
  EXPECT_EQ(again.top1, first.top1);
  EXPECT_EQ(again.clear_top1, first.clear_top1);
  EXPECT_EQ(again.positions, first.positions);
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement other, Measure(WeightType::kBf16));
  EXPECT_FALSE(other.cached);
  EXPECT_LT(other.kl, first.kl);
  Gpt2Config config = Config();
  config.layer_norm_epsilon = 1e-3;
  Gpt2Weights weights = WithStrongValues(1);
  ASSERT_OK(SaveGpt2(Model(), config, weights));
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement changed,
                       Measure(WeightType::kInt8));
  EXPECT_FALSE(changed.cached);
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(TypeCheckTest, SpoiltFigureIsMeasuredAgain) {
  Save(1);
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement first, Measure(WeightType::kInt8));
  for (const char* text :
       {"", "{", "[]", "{\"positions\":128}",
        "{\"positions\":128,\"kl\":-1,\"top1\":1,\"clear_top1\":1,"
        "\"seconds\":1}",
        "{\"positions\":128,\"kl\":0,\"top1\":2,\"clear_top1\":1,"
        "\"seconds\":1}"}) {
    for (const auto& file :
         std::filesystem::directory_iterator(root_ + "/cache/number-types")) {
      ASSERT_OK(WriteFileAtomically(file.path(), text));
    }
    ASSERT_OK_AND_ASSIGN(const TypeMeasurement again,
                         Measure(WeightType::kInt8));
    EXPECT_FALSE(again.cached) << text;
    EXPECT_EQ(again.kl, first.kl) << text;
  }
}

TEST_F(TypeCheckTest, PlaceThatKeepsNothingIsAWarning) {
  Save(1);
  ASSERT_OK(WriteFileAtomically(root_ + "/cache", "a file"));
  ASSERT_OK_AND_ASSIGN(const TypeMeasurement first, Measure(WeightType::kInt8));
  EXPECT_GT(first.kl, 0);
  EXPECT_THAT(warnings_,
              ElementsAre(HasSubstr("measured again at every start")));
}

// The reference that is read block by block is the model.
TEST(InFilesTest, SaysWhatTheModelInMemorySays) {
  std::vector<int32_t> tokens;
  for (int i = 0; i < 20; ++i) tokens.push_back((37 * i + 5) % 100);
  for (const std::string& directory :
       {GoldenDirectory("gpt2", "default"),
        GoldenDirectory("gpt2", "separate_head_relu"),
        GoldenDirectory("gpt2", "bare_names_unscaled"),
        GoldenDirectory("gpt_neox", "parallel"),
        GoldenDirectory("gpt_neox", "tied_silu")}) {
    const auto logits = [&](Keep keep, int wanted) {
      const LoadedTransformer loaded =
          LoadTransformer(directory, at::kCPU, WeightType::kF32, keep).value();
      KvCache cache(loaded.model->facts(), 1, at::kCPU);
      return loaded.model->Forward(tokens,
                                   {{.length = 20,
                                     .exit_site = loaded.model->facts().n_layer,
                                     .logits = wanted}},
                                   cache, nullptr);
    };
    for (int wanted : {20, 3}) {
      EXPECT_LT(
          (logits(Keep::kInFiles, wanted) - logits(Keep::kPrepared, wanted))
              .abs()
              .max()
              .item<double>(),
          1e-4)
          << directory;
    }
  }
}

}  // namespace
}  // namespace alignsae
