// The checkpoint directory: what SaveSae writes, and what Load accepts and
// reads.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/sae/sae.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;
using LoadMode = Sae::LoadMode;

constexpr LoadMode kModes[] = {LoadMode::kConceptsOnly, LoadMode::kWhole};

// A fresh directory of the running test.
std::string Directory() {
  const std::string path = absl::StrCat(
      ::testing::TempDir(), "sae_io_",
      ::testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(path);
  return path;
}

ReferenceSae StoredReference(SaeActivation activation) {
  return RandomReferenceSae({.activation = activation, .scale = 2},
                            /*seed=*/23);
}

NamedTensors Tensors(const ReferenceSae& sae) {
  const SaeWeights weights = WeightsOf(sae);
  NamedTensors tensors = {{"W_enc", weights.w_enc},
                          {"b_enc", weights.b_enc},
                          {"W_dec", weights.w_dec},
                          {"b_dec", weights.b_dec}};
  if (weights.threshold.defined()) {
    tensors.emplace_back("threshold", weights.threshold);
  }
  return tensors;
}

at::Tensor& Named(NamedTensors& tensors, absl::string_view name) {
  for (auto& [key, tensor] : tensors) {
    if (key == name) return tensor;
  }
  ADD_FAILURE() << name;
  return tensors[0].second;
}

// A checkpoint of `sae`'s config with any tensors at all.
void WriteCheckpoint(const std::string& directory, const SaeConfig& config,
                     const NamedTensors& tensors) {
  std::filesystem::create_directories(directory);
  ASSERT_OK(WriteTensors(directory + "/sae_weights.safetensors", tensors, {}));
  ASSERT_OK(
      WriteFileAtomically(directory + "/cfg.json", SaeConfigToJson(config)));
}

at::Tensor SomeResiduals(int d_model) {
  return FloatTensor(RandomResidual(8 * d_model, 3, 5), {8, d_model});
}

TEST(SaeIoTest, SavedCheckpointLoadsWholeBitForBit) {
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    const ReferenceSae reference = StoredReference(activation);
    const SaeWeights weights = WeightsOf(reference);
    const std::string directory = Directory() + "/made/as/needed";
    ASSERT_OK(SaveSae(directory, reference.config, weights));
    ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::Load(directory, LoadMode::kWhole));
    EXPECT_TRUE(sae.whole());
    EXPECT_EQ(sae.config(), reference.config);
    EXPECT_TRUE(at::equal(sae.weights().w_enc, weights.w_enc));
    EXPECT_TRUE(at::equal(sae.weights().b_enc, weights.b_enc));
    EXPECT_TRUE(at::equal(sae.weights().w_dec, weights.w_dec));
    EXPECT_TRUE(at::equal(sae.weights().b_dec, weights.b_dec));
    EXPECT_EQ(sae.weights().threshold.defined(), weights.threshold.defined());
  }
}

TEST(SaeIoTest, ConceptOnlyLoadGivesTheConceptValuesOfTheWholeOne) {
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    const ReferenceSae reference = StoredReference(activation);
    const std::string directory = Directory();
    ASSERT_OK(SaveSae(directory, reference.config, WeightsOf(reference)));
    ASSERT_OK_AND_ASSIGN(const Sae concepts,
                         Sae::Load(directory, LoadMode::kConceptsOnly));
    ASSERT_OK_AND_ASSIGN(const Sae whole,
                         Sae::Load(directory, LoadMode::kWhole));
    EXPECT_FALSE(concepts.whole());
    EXPECT_TRUE(at::equal(concepts.concept_decoder(), whole.concept_decoder()));
    const at::Tensor h = SomeResiduals(reference.config.d_model);
    EXPECT_TRUE(at::allclose(
        concepts.ConceptActivate(concepts.ConceptPre(h)),
        whole.Encode(h).index_select(1, whole.concept_slots()), 0, 1e-6));
  }
}

TEST(SaeIoTest, ConceptOnlyLoadIsBlindToEverythingElseInTheFile) {
  const ReferenceSae reference = StoredReference(SaeActivation::kJumpRelu);
  const NamedTensors good = Tensors(reference);
  for (const char* spoilt : {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}) {
    NamedTensors tensors = good;
    at::Tensor& tensor = Named(tensors, spoilt);
    tensor = tensor.clone();
    for (int64_t f = 0; f < reference.config.n_features; ++f) {
      if (reference.IsConcept(static_cast<int>(f))) continue;
      if (absl::string_view(spoilt) == "W_enc") {
        tensor.select(1, f).fill_(NAN);
      } else if (f < tensor.size(0)) {
        tensor[f].fill_(NAN);
      }
    }
    const std::string directory = Directory();
    WriteCheckpoint(directory, reference.config, tensors);
    ASSERT_OK_AND_ASSIGN(const Sae sae,
                         Sae::Load(directory, LoadMode::kConceptsOnly));
    const at::Tensor h = SomeResiduals(reference.config.d_model);
    EXPECT_TRUE(at::isfinite(sae.ConceptPre(h)).all().item<bool>());
    EXPECT_THAT(Sae::Load(directory, LoadMode::kWhole),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr(absl::StrCat(
                             directory, "/sae_weights.safetensors: tensor \"",
                             spoilt, "\": must be finite, got nan at ["))));
  }
}

// Bytes that this process has read so far, files and pipes alike; -1 where the
// kernel does not tell.
int64_t BytesRead() {
  std::ifstream io("/proc/self/io");
  std::string key;
  int64_t value = -1;
  return io >> key >> value && key == "rchar:" ? value : -1;
}

TEST(SaeIoTest, ConceptOnlyLoadOfALargeFileReadsFewBytes) {
  if (BytesRead() < 0) GTEST_SKIP() << "no /proc/self/io";
  const ReferenceSae reference =
      RandomReferenceSae({.d_model = 32, .n_features = 20000}, /*seed=*/2);
  const std::string directory = Directory();
  ASSERT_OK(SaveSae(directory, reference.config, WeightsOf(reference)));
  const auto file_size =
      std::filesystem::file_size(directory + "/sae_weights.safetensors");
  ASSERT_GT(file_size, 5'000'000u);
  const int64_t before = BytesRead();
  ASSERT_OK(Sae::Load(directory, LoadMode::kConceptsOnly));
  // The values are 780 bytes; the rest is the header, cfg.json and /proc.
  EXPECT_LT(BytesRead() - before, 8192);
}

TEST(SaeIoTest, NonFiniteConceptIsRefusedWithItsFeatureIndex) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  const std::string file = directory + "/sae_weights.safetensors";
  for (LoadMode mode : kModes) {
    NamedTensors tensors = Tensors(reference);
    Named(tensors, "W_enc")[4][19] = -INFINITY;
    WriteCheckpoint(directory, reference.config, tensors);
    EXPECT_THAT(
        Sae::Load(directory, mode),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 file + ": tensor \"W_enc\": must be finite, got -inf at "
                        "[4, 19]"));
    tensors = Tensors(reference);
    Named(tensors, "b_enc")[7] = NAN;
    WriteCheckpoint(directory, reference.config, tensors);
    EXPECT_THAT(Sae::Load(directory, mode),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         file + ": tensor \"b_enc\": must be finite, got nan "
                                "at [7]"));
    tensors = Tensors(reference);
    Named(tensors, "W_dec")[19][2] = NAN;
    WriteCheckpoint(directory, reference.config, tensors);
    EXPECT_THAT(Sae::Load(directory, mode),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         file + ": tensor \"W_dec\": must be finite, got nan "
                                "at [19, 2]"));
  }
}

TEST(SaeIoTest, ConceptWithoutADirectionIsRefused) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  NamedTensors tensors = Tensors(reference);
  Named(tensors, "W_dec")[7].zero_();
  const std::string directory = Directory();
  WriteCheckpoint(directory, reference.config, tensors);
  for (LoadMode mode : kModes) {
    EXPECT_THAT(
        Sae::Load(directory, mode),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 directory +
                     "/sae_weights.safetensors: tensor \"W_dec\": must have a "
                     "row of non-zero norm for every concept, got norm 0 at "
                     "row 7 (concept \"concept_0\")"));
  }
}

TEST(SaeIoTest, MissingTensorIsRefusedInBothModes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kJumpRelu);
  const std::string directory = Directory();
  for (const char* missing :
       {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}) {
    NamedTensors tensors;
    for (const auto& entry : Tensors(reference)) {
      if (entry.first != missing) tensors.push_back(entry);
    }
    WriteCheckpoint(directory, reference.config, tensors);
    for (LoadMode mode : kModes) {
      EXPECT_THAT(
          Sae::Load(directory, mode),
          StatusIs(absl::StatusCode::kNotFound,
                   absl::StrCat(directory, "/sae_weights.safetensors: tensor ",
                                "\"", missing, "\": must be in the file")));
    }
  }
}

TEST(SaeIoTest, ExtraTensorIsRefusedInBothModes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  NamedTensors tensors = Tensors(reference);
  tensors.emplace_back("threshold", at::zeros({20}));
  WriteCheckpoint(directory, reference.config, tensors);
  for (LoadMode mode : kModes) {
    EXPECT_THAT(Sae::Load(directory, mode),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         EndsWith("tensor \"threshold\": must be one of W_enc, "
                                  "b_enc, W_dec, b_dec for relu, got another "
                                  "name")));
  }
}

TEST(SaeIoTest, MisshapenTensorIsRefusedInBothModes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  for (const auto& [name, shape, rule] :
       {std::tuple("W_enc", std::vector<int64_t>{20, 12},
                   "must have shape [12, 20], got [20, 12]"),
        std::tuple("b_enc", std::vector<int64_t>{1, 20},
                   "must have shape [20], got [1, 20]"),
        std::tuple("W_dec", std::vector<int64_t>{20, 11},
                   "must have shape [20, 12], got [20, 11]"),
        std::tuple("b_dec", std::vector<int64_t>{},
                   "must have shape [12], got []")}) {
    NamedTensors tensors = Tensors(reference);
    Named(tensors, name) = at::ones(shape);
    WriteCheckpoint(directory, reference.config, tensors);
    for (LoadMode mode : kModes) {
      EXPECT_THAT(
          Sae::Load(directory, mode),
          StatusIs(absl::StatusCode::kInvalidArgument,
                   EndsWith(absl::StrCat("tensor \"", name, "\": ", rule))));
    }
  }
}

TEST(SaeIoTest, IntegerTensorIsRefusedInBothModes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  NamedTensors tensors = Tensors(reference);
  Named(tensors, "b_dec") = at::zeros({12}, at::kInt);
  WriteCheckpoint(directory, reference.config, tensors);
  for (LoadMode mode : kModes) {
    EXPECT_THAT(Sae::Load(directory, mode),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         EndsWith("tensor \"b_dec\": must have dtype F32, F16 "
                                  "or BF16, got I32")));
  }
}

TEST(SaeIoTest, HalfPrecisionFilesLoadInBothModes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  for (at::ScalarType dtype : {at::kHalf, at::kBFloat16}) {
    NamedTensors tensors = Tensors(reference);
    for (auto& [name, tensor] : tensors) tensor = tensor.to(dtype);
    WriteCheckpoint(directory, reference.config, tensors);
    for (LoadMode mode : kModes) {
      ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::Load(directory, mode));
      const at::Tensor zero = at::zeros({1, 12});
      const at::Tensor units = at::eye(12) * reference.config.scale;
      EXPECT_TRUE(at::allclose(sae.ConceptPre(units) - sae.ConceptPre(zero),
                               Named(tensors, "W_enc")
                                   .to(at::kFloat)
                                   .index_select(1, sae.concept_slots()),
                               1e-5, 1e-5));
      EXPECT_TRUE(at::allclose(sae.ConceptPre(zero).squeeze(0),
                               Named(tensors, "b_enc")
                                   .to(at::kFloat)
                                   .index_select(0, sae.concept_slots())));
    }
  }
}

TEST(SaeIoTest, AbsentFilesAreNamed) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  EXPECT_THAT(Sae::Load(directory, LoadMode::kWhole),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr(directory + "/cfg.json")));
  ASSERT_OK(SaveSae(directory, reference.config, WeightsOf(reference)));
  std::filesystem::remove(directory + "/sae_weights.safetensors");
  EXPECT_THAT(Sae::Load(directory, LoadMode::kWhole),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr(directory + "/sae_weights.safetensors")));
}

TEST(SaeIoTest, BadConfigIsNamedWithItsDirectory) {
  const std::string directory = Directory();
  std::filesystem::create_directories(directory);
  ASSERT_OK(WriteFileAtomically(directory + "/cfg.json", "[]"));
  EXPECT_THAT(
      Sae::Load(directory, LoadMode::kConceptsOnly),
      StatusIs(
          absl::StatusCode::kInvalidArgument,
          directory + "/cfg.json: the file: must be a JSON object, got []"));
}

TEST(SaeIoTest, SavingChecksShapesAndWritesNothingOnError) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  SaeWeights weights = WeightsOf(reference);
  weights.b_dec = at::zeros({3});
  const std::string directory = Directory();
  EXPECT_THAT(SaveSae(directory, reference.config, weights),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"b_dec\": must have shape [12], got [3]"));
  EXPECT_FALSE(std::filesystem::exists(directory));
}

TEST(SaeIoTest, SavingTakesWeightsThatNeedGradientsAndOtherDtypes) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  SaeWeights weights = WeightsOf(reference);
  weights.w_enc = weights.w_enc.to(at::kDouble);
  weights.w_dec = weights.w_dec.t().contiguous().t();  // Not contiguous.
  weights.b_enc.set_requires_grad(true);
  const std::string directory = Directory();
  ASSERT_OK(SaveSae(directory, reference.config, weights));
  ASSERT_OK_AND_ASSIGN(const Sae sae, Sae::Load(directory, LoadMode::kWhole));
  EXPECT_TRUE(at::equal(sae.weights().w_dec, WeightsOf(reference).w_dec));
  EXPECT_TRUE(at::equal(sae.weights().w_enc, WeightsOf(reference).w_enc));
}

TEST(SaeIoTest, DirectoryThatCannotBeMadeIsAnError) {
  const ReferenceSae reference = StoredReference(SaeActivation::kRelu);
  const std::string directory = Directory();
  std::filesystem::create_directories(directory);
  ASSERT_OK(WriteFileAtomically(directory + "/file", ""));
  EXPECT_THAT(
      SaveSae(directory + "/file/sae", reference.config, WeightsOf(reference)),
      StatusIs(absl::StatusCode::kNotFound,
               directory + "/file/sae: cannot create: Not a directory"));
}

}  // namespace
}  // namespace alignsae
