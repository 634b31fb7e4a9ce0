// Loading and saving: LoadGpt2Weights and SaveGpt2 of model/gpt2/weights.h.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/gpt2/weights.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const Gpt2Config kStoredConfig = {.n_layer = 2,
                                  .n_head = 2,
                                  .d_model = 8,
                                  .d_inner = 20,
                                  .context_length = 6,
                                  .vocab_size = 13};

using TensorMap = std::map<std::string, at::Tensor>;

class Gpt2WeightsIoTest : public ::testing::Test {
 protected:
  Gpt2WeightsIoTest() : weights_(WideWeights(kStoredConfig, 3)) {
    const std::string name =
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    directory_ = absl::StrCat(::testing::TempDir(), "/weights_io_", name);
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }

  TensorMap Tensors() {
    TensorMap tensors;
    for (const auto& [name, tensor] : weights_.Named()) {
      tensors[name] = tensor->clone();
    }
    return tensors;
  }

  static TensorMap Bare(const TensorMap& tensors) {
    TensorMap bare;
    for (const auto& [name, tensor] : tensors) {
      bare[std::string(absl::StripPrefix(name, "transformer."))] = tensor;
    }
    return bare;
  }

  absl::StatusOr<Gpt2Weights> Load(const TensorMap& tensors,
                                   const Gpt2Config& config = kStoredConfig) {
    const absl::Status written =
        WriteTensors(Path(), {tensors.begin(), tensors.end()}, {});
    if (!written.ok()) return written;
    return LoadGpt2Weights(directory_, config);
  }

  void ExpectLoads(const TensorMap& tensors) {
    ASSERT_OK_AND_ASSIGN(Gpt2Weights loaded, Load(tensors));
    ExpectSame(loaded, 0);
    EXPECT_TRUE(loaded.lm_head.is_same(loaded.wte));
  }

  void ExpectSame(Gpt2Weights& loaded, double tolerance) {
    const auto actual = loaded.Named(), expected = weights_.Named();
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
      EXPECT_EQ(actual[i].first, expected[i].first);
      EXPECT_EQ(actual[i].second->scalar_type(), at::kFloat);
      EXPECT_TRUE(at::allclose(*actual[i].second, *expected[i].second,
                               tolerance, tolerance))
          << actual[i].first;
    }
  }

  std::string Path() const { return directory_ + "/model.safetensors"; }

  Gpt2Weights weights_;
  std::string directory_;
};

TEST_F(Gpt2WeightsIoTest, LoadsNamesWithThePrefix) { ExpectLoads(Tensors()); }

TEST_F(Gpt2WeightsIoTest, LoadsNamesWithoutThePrefix) {
  ExpectLoads(Bare(Tensors()));
}

TEST_F(Gpt2WeightsIoTest, IgnoresTheMaskBuffersOfEveryLayer) {
  for (const bool bare : {false, true}) {
    TensorMap tensors = bare ? Bare(Tensors()) : Tensors();
    for (const char* layer : {"h.0.", "h.1."}) {
      const std::string prefix =
          absl::StrCat(bare ? "" : "transformer.", layer, "attn.");
      tensors[prefix + "bias"] = at::ones({1, 1, 6, 6}, at::kByte);
      tensors[prefix + "masked_bias"] = at::tensor(-1e4f);
    }
    ExpectLoads(tensors);
  }
}

TEST_F(Gpt2WeightsIoTest, RefusesTheMaskBufferOfALayerThatDoesNotExist) {
  TensorMap tensors = Tensors();
  tensors["transformer.h.2.attn.bias"] = at::ones({6, 6}, at::kByte);
  EXPECT_THAT(Load(tensors),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor \"transformer.h.2.attn.bias\": must "
                                 "not be in the file")));
}

TEST_F(Gpt2WeightsIoTest, WidensHalfPrecision) {
  const std::pair<at::ScalarType, double> kTypes[] = {{at::kHalf, 1e-3},
                                                      {at::kBFloat16, 8e-3}};
  for (const auto& [type, tolerance] : kTypes) {
    TensorMap tensors = Tensors();
    for (auto& [name, tensor] : tensors) tensor = tensor.to(type);
    ASSERT_OK_AND_ASSIGN(Gpt2Weights loaded, Load(tensors));
    ExpectSame(loaded, tolerance);
  }
}

TEST_F(Gpt2WeightsIoTest, SavesWhatItLoads) {
  ASSERT_OK(SaveGpt2(directory_, kStoredConfig, weights_));
  ASSERT_OK_AND_ASSIGN(const std::string json,
                       ReadFile(directory_ + "/config.json"));
  ASSERT_OK_AND_ASSIGN(const Gpt2Config config, ParseGpt2Config(json));
  ASSERT_OK_AND_ASSIGN(Gpt2Weights loaded, LoadGpt2Weights(directory_, config));
  ExpectSame(loaded, 0);
  ASSERT_OK_AND_ASSIGN(const SafetensorsFile file,
                       SafetensorsFile::Open(Path()));
  EXPECT_EQ(file.Find("lm_head.weight"), nullptr);
  EXPECT_EQ(file.header().metadata.at("format"), "pt");
}

TEST_F(Gpt2WeightsIoTest, SavesAndLoadsASeparateHead) {
  Gpt2Config config = kStoredConfig;
  config.tie_word_embeddings = false;
  Gpt2Weights weights = WideWeights(config, 9);
  ASSERT_OK(SaveGpt2(directory_, config, weights));
  ASSERT_OK_AND_ASSIGN(const Gpt2Weights loaded,
                       LoadGpt2Weights(directory_, config));
  EXPECT_TRUE(at::equal(loaded.lm_head, weights.lm_head));
  EXPECT_FALSE(at::equal(loaded.lm_head, loaded.wte));
}

TEST_F(Gpt2WeightsIoTest, SavingIntoNoDirectoryIsAnError) {
  EXPECT_THAT(SaveGpt2(directory_ + "/none", kStoredConfig, weights_),
              StatusIs(Not(absl::StatusCode::kOk), HasSubstr("/none")));
}

TEST_F(Gpt2WeightsIoTest, AcceptsATiedHeadThatIsStoredTwice) {
  TensorMap tensors = Tensors();
  tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone();
  ExpectLoads(tensors);
}

struct BadFile {
  const char* name;
  std::function<void(TensorMap&)> spoil;
  absl::StatusCode code;
  const char* message;  // After "<path>: tensor ".
};

TEST_F(Gpt2WeightsIoTest,
       NamesTheTensorThatIsMissingExtraMisshapenOrNotFinite) {
  constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
  constexpr absl::StatusCode kLoss = absl::StatusCode::kDataLoss;
  const BadFile kCases[] = {
      {"no tensors at all", [](TensorMap& t) { t.clear(); }, kInvalid,
       "\"wte.weight\": must be in the file, got nothing"},
      {"missing in a block",
       [](TensorMap& t) { t.erase("transformer.h.1.attn.c_proj.bias"); },
       kInvalid,
       "\"transformer.h.1.attn.c_proj.bias\": must be in the file, got "
       "nothing"},
      {"missing final norm",
       [](TensorMap& t) { t.erase("transformer.ln_f.weight"); }, kInvalid,
       "\"transformer.ln_f.weight\": must be in the file, got nothing"},
      {"one name without the prefix",
       [](TensorMap& t) {
         t["wpe.weight"] = t["transformer.wpe.weight"];
         t.erase("transformer.wpe.weight");
       },
       kInvalid,
       "\"transformer.wpe.weight\": must be in the file, got \"wpe.weight\"; "
       "all names or none begin with \"transformer.\""},
      {"one name with the prefix",
       [](TensorMap& t) {
         t = Bare(t);
         t["transformer.ln_f.bias"] = t["ln_f.bias"];
         t.erase("ln_f.bias");
       },
       kInvalid,
       "\"ln_f.bias\": must be in the file, got \"transformer.ln_f.bias\"; all "
       "names or none begin with \"transformer.\""},
      {"one tensor under both names",
       [](TensorMap& t) { t["wte.weight"] = t["transformer.wte.weight"]; },
       kInvalid,
       "\"wte.weight\": must not be in the file: a GPT-2 of this config.json "
       "has no such tensor"},
      {"head of another task",
       [](TensorMap& t) {
         t["score.weight"] = at::ones({2, 8});
       },
       kInvalid,
       "\"score.weight\": must not be in the file: a GPT-2 of this config.json "
       "has no such tensor"},
      {"a layer too many",
       [](TensorMap& t) { t["transformer.h.2.ln_1.weight"] = at::ones({8}); },
       kInvalid,
       "\"transformer.h.2.ln_1.weight\": must not be in the file: a GPT-2 of "
       "this config.json has no such tensor"},
      {"transposed",
       [](TensorMap& t) {
         at::Tensor& weight = t["transformer.h.0.attn.c_attn.weight"];
         weight = weight.t().contiguous();
       },
       kInvalid,
       "\"transformer.h.0.attn.c_attn.weight\": must have shape [8, 24], got "
       "[24, 8]"},
      {"rows and vocabulary differ",
       [](TensorMap& t) {
         t["transformer.wte.weight"] = at::ones({14, 8});
       },
       kInvalid,
       "\"transformer.wte.weight\": must have shape [13, 8], got [14, 8]"},
      {"bias with a dimension too many",
       [](TensorMap& t) {
         t["transformer.ln_f.bias"] = at::ones({1, 8});
       },
       kInvalid, "\"transformer.ln_f.bias\": must have shape [8], got [1, 8]"},
      {"bias empty",
       [](TensorMap& t) { t["transformer.ln_f.bias"] = at::ones({0}); },
       kInvalid, "\"transformer.ln_f.bias\": must have shape [8], got [0]"},
      {"doubles",
       [](TensorMap& t) {
         t["transformer.ln_f.bias"] = at::ones({8}, at::kDouble);
       },
       kInvalid,
       "\"transformer.ln_f.bias\": must have dtype F32, F16 or BF16, got F64"},
      {"one NaN",
       [](TensorMap& t) {
         t["transformer.h.1.mlp.c_fc.weight"][3][19] =
             std::numeric_limits<float>::quiet_NaN();
       },
       kLoss,
       "\"transformer.h.1.mlp.c_fc.weight\": must be finite, got nan at [3, "
       "19]"},
      {"one infinity in half precision",
       [](TensorMap& t) {
         at::Tensor& bias = t["transformer.h.0.ln_2.bias"];
         bias[7] = -1e6;
         bias = bias.to(at::kHalf);
       },
       kLoss, "\"transformer.h.0.ln_2.bias\": must be finite, got -inf at [7]"},
      {"tied head with other values",
       [](TensorMap& t) {
         t["lm_head.weight"] = t["transformer.wte.weight"] + 1;
       },
       kInvalid,
       "\"lm_head.weight\": must equal wte.weight when config.json's "
       "tie_word_embeddings is true, got other values"},
      {"tied head of another shape",
       [](TensorMap& t) {
         t["lm_head.weight"] = at::ones({8, 13});
       },
       kInvalid, "\"lm_head.weight\": must have shape [13, 8], got [8, 13]"},
  };
  for (const BadFile& bad : kCases) {
    TensorMap tensors = Tensors();
    bad.spoil(tensors);
    EXPECT_THAT(
        Load(tensors),
        StatusIs(bad.code, absl::StrCat(Path(), ": tensor ", bad.message)))
        << bad.name;
  }
}

TEST_F(Gpt2WeightsIoTest, AsksForTheHeadOfAModelThatIsNotTied) {
  Gpt2Config config = kStoredConfig;
  config.tie_word_embeddings = false;
  EXPECT_THAT(
      Load(Tensors(), config),
      StatusIs(absl::StatusCode::kInvalidArgument,
               EndsWith("tensor \"lm_head.weight\": must be in the file when "
                        "config.json's tie_word_embeddings is false, got "
                        "nothing")));
}

TEST_F(Gpt2WeightsIoTest, TakesTheWholeFileBesideAnIndexThatWasLeftThere) {
  ASSERT_OK(WriteFileAtomically(Path() + ".index.json", "{}"));
  EXPECT_OK(Load(Tensors()));
}

TEST_F(Gpt2WeightsIoTest, SaysWhyWeightsInOtherFilesAreNotRead) {
  const std::string pickle = directory_ + "/pytorch_model.bin";
  ASSERT_OK(WriteFileAtomically(pickle, "PK"));
  EXPECT_THAT(LoadGpt2Weights(directory_, kStoredConfig),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(pickle + ": pickles are not read")));
}

TEST_F(Gpt2WeightsIoTest, SaysThatTheFileIsMissing) {
  EXPECT_THAT(LoadGpt2Weights(directory_, kStoredConfig),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path())));
}

TEST_F(Gpt2WeightsIoTest, SaysThatTheFileIsCutShort) {
  ASSERT_OK(SaveGpt2(directory_, kStoredConfig, weights_));
  std::filesystem::resize_file(Path(), std::filesystem::file_size(Path()) - 1);
  EXPECT_THAT(LoadGpt2Weights(directory_, kStoredConfig),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(Path())));
}

TEST_F(Gpt2WeightsIoTest, IgnoresTheSecondHeadOfADoubleHeadModel) {
  TensorMap tensors = Tensors();
  tensors["multiple_choice_head.summary.weight"] = at::ones({1, 8});
  tensors["multiple_choice_head.summary.bias"] = at::ones({1});
  ExpectLoads(tensors);
}

// The tensors in two files, with the index that transformers writes.
TEST_F(Gpt2WeightsIoTest, LoadsShardsAndNamesTheFileOfABadTensor) {
  TensorMap first, second = Tensors();
  std::string map;
  for (const auto& [name, tensor] : Tensors()) {
    const bool in_first = absl::StartsWith(name, "transformer.h.0.");
    if (in_first) first.insert(second.extract(name));
    absl::StrAppend(&map, map.empty() ? "" : ",", "\"", name, "\":\"model-",
                    in_first ? 1 : 2, ".safetensors\"");
  }
  const auto write = [&](const char* name, const TensorMap& tensors) {
    ASSERT_OK(WriteTensors(absl::StrCat(directory_, "/", name),
                           {tensors.begin(), tensors.end()}, {}));
  };
  write("model-1.safetensors", first);
  write("model-2.safetensors", second);
  const std::string index =
      absl::StrCat(directory_, "/model.safetensors.index.json");
  ASSERT_OK(WriteFileAtomically(index,
                                absl::StrCat("{\"metadata\":{\"total_size\":1},"
                                             "\"weight_map\":{",
                                             map, "}}")));
  ASSERT_OK_AND_ASSIGN(Gpt2Weights loaded,
                       LoadGpt2Weights(directory_, kStoredConfig));
  ExpectSame(loaded, 0);

  first["transformer.h.0.ln_1.bias"] =
      at::full({8}, std::numeric_limits<float>::infinity());
  write("model-1.safetensors", first);
  EXPECT_THAT(
      LoadGpt2Weights(directory_, kStoredConfig),
      StatusIs(absl::StatusCode::kDataLoss,
               HasSubstr("model-1.safetensors: tensor "
                         "\"transformer.h.0.ln_1.bias\": must be finite")));

  Gpt2Config larger = kStoredConfig;
  larger.n_layer = 3;
  EXPECT_THAT(
      LoadGpt2Weights(directory_, larger),
      StatusIs(absl::StatusCode::kInvalidArgument,
               testing::StartsWith(index + ": tensor \"transformer.h.2")));
}

}  // namespace
}  // namespace alignsae
