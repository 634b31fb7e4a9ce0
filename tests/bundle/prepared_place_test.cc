// Prepared weights that are kept: the same bits as freshly made ones, and made
// anew where what is kept is of something else, damaged, or not to be believed.

#include "model/bundle/prepared_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/cache_folder.h"
#include "model/base/file.h"
#include "model/bundle/bundle.h"
#include "model/bundle/families.h"
#include "model/tokenizer/bpe_trainer.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kModelHash[] = "0123456789abcdef";

std::vector<WeightType> TypesOfThisMachine() {
  std::vector<WeightType> types = {WeightType::kF32};
  for (const WeightType type : {WeightType::kBf16, WeightType::kInt8}) {
    if (WhyUnsupported(type, "cpu").empty()) types.push_back(type);
  }
  return types;
}

// Logits of every token of a prompt and of its last one alone, and what the
// head makes of a direction.
std::vector<at::Tensor> AnswersOf(const Transformer& model) {
  constexpr int kAskedTokens = 20;
  std::vector<int32_t> tokens;
  for (int i = 0; i < kAskedTokens; ++i) tokens.push_back((37 * i + 5) % 100);
  std::vector<at::Tensor> answers;
  for (const int wanted : {kAskedTokens, 1}) {
    KvCache cache(model.facts(), 1, at::kCPU, model.kv_type());
    answers.push_back(model.Forward(tokens,
                                    {{.length = kAskedTokens,
                                      .exit_site = model.facts().n_layer,
                                      .logits = wanted}},
                                    cache, nullptr));
  }
  answers.push_back(model.Unembed(at::ones({1, model.facts().d_model})));
  return answers;
}

class PreparedPlaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = absl::StrCat(::testing::TempDir(), "/prepared_", test->name());
    fs::remove_all(root_);
    fs::create_directories(root_);
    Use(GoldenDirectory("gpt2", "separate_head_relu"));
  }
  void TearDown() override { fs::remove_all(root_); }

  // A copy of a model, for tests that change it.
  void Use(const std::string& model) {
    fs::remove_all(root_ + "/model");
    fs::copy(model, root_ + "/model");
  }

  PreparedPlace Place(WeightType type = WeightType::kF32) const {
    PreparedPlace place =
        PlaceOfPrepared(root_ + "/cache", root_ + "/model", kModelHash, type)
            .value();
    place.min_bytes = 0;
    return place;
  }

  LoadedTransformer Load(const PreparedPlace& place,
                         WeightType type = WeightType::kF32) const {
    return LoadTransformer(root_ + "/model", at::kCPU, type, Keep::kPrepared,
                           &place)
        .value();
  }

  // As without a cache, bit by bit.
  void ExpectFresh(const Transformer& model) const {
    const LoadedTransformer fresh =
        LoadTransformer(root_ + "/model", at::kCPU, model.weight_type())
            .value();
    EXPECT_FALSE(fresh.prepared.has_value());
    const std::vector<at::Tensor> expected = AnswersOf(*fresh.model);
    const std::vector<at::Tensor> answers = AnswersOf(model);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(answers[i].equal(expected[i])) << i;
    }
    EXPECT_EQ(model.matrix_bytes(), fresh.model->matrix_bytes());
  }

  // The next load makes it anew and says `why`; the one after it reads it.
  void ExpectRemade(const PreparedPlace& place, const std::string& why) const {
    const LoadedTransformer remade = Load(place);
    ASSERT_TRUE(remade.prepared.has_value());
    EXPECT_EQ(remade.prepared->result, PreparedResult::kRemade);
    EXPECT_THAT(remade.prepared->why, HasSubstr(place.path));
    EXPECT_THAT(remade.prepared->why, HasSubstr(why));
    ExpectFresh(*remade.model);
    EXPECT_EQ(Load(place).prepared->result, PreparedResult::kRead);
  }

  std::string root_;
};

TEST_F(PreparedPlaceTest, KeptIsFreshlyMadeBitByBit) {
  for (const auto& [family, name] :
       std::multimap<std::string, std::string>{{"gpt2", "default"},
                                               {"gpt2", "separate_head_relu"},
                                               {"gpt2", "deeper"},
                                               {"gpt_neox", "parallel"},
                                               {"gpt_neox", "tied_silu"}}) {
    Use(GoldenDirectory(family, name));
    for (const WeightType type : TypesOfThisMachine()) {
      SCOPED_TRACE(absl::StrCat(family, "/", name, " ", WeightTypeName(type)));
      fs::remove_all(root_ + "/cache");
      const LoadedTransformer made = Load(Place(type), type);
      EXPECT_EQ(made.prepared->result, PreparedResult::kMade);
      EXPECT_EQ(made.prepared->type, WeightTypeName(type));
      ExpectFresh(*made.model);
      const LoadedTransformer read = Load(Place(type), type);
      EXPECT_EQ(read.prepared->result, PreparedResult::kRead);
      ExpectFresh(*read.model);
    }
  }
}

TEST_F(PreparedPlaceTest, WhatIsReadNeedsNoWeightsFile) {
  const PreparedPlace place = Place();
  const std::vector<at::Tensor> answers = AnswersOf(*Load(place).model);
  fs::remove(root_ + "/model/model.safetensors");
  const LoadedTransformer read = Load(place);
  EXPECT_TRUE(AnswersOf(*read.model)[0].equal(answers[0]));
}

TEST_F(PreparedPlaceTest, ADamagedFileIsMadeAnew) {
  const PreparedPlace place = Place();
  Load(place);
  ASSERT_OK_AND_ASSIGN(const std::string whole, ReadFile(place.path));
  const auto damage = [&](const std::string& bytes, const char* why) {
    ASSERT_OK(WriteFileAtomically(place.path, bytes));
    ExpectRemade(place, why);
  };
  damage("", "");
  damage(whole.substr(0, whole.size() / 2), "");
  damage(whole.substr(0, whole.size() - 1), "");
  damage(whole + "x", "");
  // One bit, in the data and in the header.
  for (const size_t at : {whole.size() / 2, whole.size() - 1}) {
    std::string bytes = whole;
    bytes[at] ^= 1;
    damage(bytes, "must have the sum that was written beside it");
  }
  for (const char* key :
       {"sha256 of wte", "\"wte\"", "blocks.0.inner.memory"}) {
    std::string bytes = whole;
    bytes[bytes.find(key) + 3] ^= 1;
    damage(bytes, "");
  }
}

TEST_F(PreparedPlaceTest, AStaleFileIsMadeAnew) {
  const PreparedPlace place = Place();
  Load(place);
  for (const auto& [key, value] : place.facts) {
    SCOPED_TRACE(key);
    ASSERT_OK_AND_ASSIGN(const PreparedParts parts,
                         ReadPrepared(place.path, place.facts));
    PreparedFacts other = place.facts;
    other[key] = "other";
    ASSERT_OK(WritePrepared(place.path, other, parts));
    ExpectRemade(place,
                 absl::StrCat(key, ": must be \"", value, "\", got \"other\""));
  }
  // Another configuration of the same weights has another file's facts.
  ASSERT_OK_AND_ASSIGN(std::string config,
                       ReadFile(root_ + "/model/config.json"));
  ASSERT_OK(WriteFileAtomically(root_ + "/model/config.json", config + "\n"));
  ExpectRemade(Place(), "config_sha256: must be");
}

TEST_F(PreparedPlaceTest, AnotherLayoutThanThisMachinesIsMadeAnew) {
  const PreparedPlace place = Place();
  Load(place);
  ASSERT_OK_AND_ASSIGN(PreparedParts parts,
                       ReadPrepared(place.path, place.facts));
  parts.PutText("blocks.1.out.layout", "type 9");
  ASSERT_OK(WritePrepared(place.path, place.facts, parts));
  const LoadedTransformer remade = Load(place);
  EXPECT_EQ(remade.prepared->result, PreparedResult::kRemade);
  EXPECT_THAT(remade.prepared->why,
              ::testing::AnyOf(
                  HasSubstr("blocks.1.out: must be in the layout type "),
                  HasSubstr("blocks.1.out: must be in the layout f32 blocks "
                            "of 16 columns, got type 9")));
  ExpectFresh(*remade.model);
}

TEST_F(PreparedPlaceTest, TwoAtOnceDoNotDisturbEachOther) {
  const PreparedPlace place = Place();
  for (int round = 0; round < 4; ++round) {
    fs::remove(place.path);
    if (round % 2 == 1) {  // A damaged one.
      ASSERT_OK(WriteFileAtomically(place.path, "x"));
    }
    std::vector<LoadedTransformer> loaded(2);
    {
      std::vector<std::thread> threads;
      for (LoadedTransformer& each : loaded) {
        threads.emplace_back([&] { each = Load(place); });
      }
      for (std::thread& thread : threads) thread.join();
    }
    for (const LoadedTransformer& each : loaded) ExpectFresh(*each.model);
    EXPECT_EQ(Load(place).prepared->result, PreparedResult::kRead);
  }
  int files = 0;
  for ([[maybe_unused]] const auto& file :
       fs::directory_iterator(root_ + "/cache/prepared")) {
    ++files;
  }
  EXPECT_EQ(files, 1);
}

// One reader with one bound, whoever asks.
TEST_F(PreparedPlaceTest, AConfigThatIsTooLongIsRefusedByAll) {
  const std::string path = root_ + "/model/config.json";
  ASSERT_OK_AND_ASSIGN(const std::string config, ReadFile(path));
  ASSERT_OK(
      WriteFileAtomically(path, config + std::string(size_t{1} << 20, ' ')));
  const absl::Status loaded =
      LoadTransformer(root_ + "/model", at::kCPU, WeightType::kF32).status();
  EXPECT_THAT(loaded.message(), HasSubstr("config.json"));
  for (const absl::Status& status :
       {loaded, ReadFacts(root_ + "/model").status(),
        PlaceOfPrepared(root_ + "/cache", root_ + "/model", kModelHash,
                        WeightType::kF32)
            .status()}) {
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.ToString(), loaded.ToString());
  }
}

TEST_F(PreparedPlaceTest, ASmallModelIsNotKept) {
  PreparedPlace place = Place();
  place.min_bytes = kMinPreparedBytes;
  EXPECT_FALSE(Load(place).prepared.has_value());
  EXPECT_FALSE(FileExists(place.path));
}

// The way from the options of a bundle to the catalog.
class PreparedBundleTest : public PreparedPlaceTest {
 protected:
  void SetUp() override {
    PreparedPlaceTest::SetUp();
    const std::vector<std::string> texts(4, "abab");
    ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                         TrainBpe(texts, {.vocab_size = 258}));
    Use(GoldenDirectory("gpt2", "deeper"));
    ASSERT_OK(WriteFileAtomically(root_ + "/model/vocab.json",
                                  vocabulary.vocab_json));
    ASSERT_OK(WriteFileAtomically(root_ + "/model/merges.txt",
                                  vocabulary.merges_txt));
  }

  absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundleOf(bool keep) const {
    return LoadParts(root_ + "/model", {},
                     {.cache_directory = root_ + "/cache",
                      .keep_prepared = keep,
                      .min_prepared_bytes = 0});
  }
};

TEST_F(PreparedBundleTest, SaysWhatBecameOfIt) {
  ASSERT_OK_AND_ASSIGN(const auto off, LoadBundleOf(false));
  EXPECT_THAT(off->catalog->model.prepared, IsEmpty());
  EXPECT_FALSE(FileExists(root_ + "/cache/prepared"));
  for (const PreparedResult result :
       {PreparedResult::kMade, PreparedResult::kRead}) {
    ASSERT_OK_AND_ASSIGN(const auto bundle, LoadBundleOf(true));
    ASSERT_EQ(bundle->catalog->model.prepared.size(), 1u);
    EXPECT_EQ(bundle->catalog->model.prepared[0].result, result);
    EXPECT_EQ(bundle->catalog->model.prepared[0].type, "f32");
    EXPECT_THAT(bundle->warnings, IsEmpty());
    ExpectFresh(*bundle->model);
  }
}

TEST_F(PreparedBundleTest, AFolderOfOthersIsNotBelieved) {
  ASSERT_OK_AND_ASSIGN(const auto made, LoadBundleOf(true));
  ASSERT_EQ(chmod((root_ + "/cache/prepared").c_str(), 0777), 0);
  ASSERT_OK_AND_ASSIGN(const auto bundle, LoadBundleOf(true));
  EXPECT_THAT(bundle->catalog->model.prepared, IsEmpty());
  EXPECT_THAT(bundle->warnings,
              ElementsAre(HasSubstr("nobody else may write to")));
}

TEST_F(PreparedBundleTest, APlaceThatKeepsNothingIsTold) {
  ASSERT_OK(WriteFileAtomically(root_ + "/cache", "a file"));
  ASSERT_OK_AND_ASSIGN(const auto bundle, LoadBundleOf(true));
  EXPECT_THAT(bundle->warnings,
              ElementsAre(HasSubstr("prepared weights: made anew at every")));
}

}  // namespace
}  // namespace alignsae
