// What slots write, against scalar loops; and certificates that are checked
// against the class means beside them.

#include "model/sae/written.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "tests/reference/sae_reference.h"
#include "tests/support/random_sae.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Vector = std::vector<double>;

constexpr int kClasses = 3;

ReferenceSae WrittenReference(SaeActivation activation, double scale) {
  return RandomReferenceSae({.activation = activation, .scale = scale}, 5);
}

std::vector<Vector> Means(int d_model, double size) {
  std::vector<Vector> means;
  for (int r = 0; r < kClasses; ++r) {
    means.push_back(RandomResidual(d_model, size, 40 + r));
  }
  return means;
}

at::Tensor TensorOf(const std::vector<Vector>& rows) {
  std::vector<at::Tensor> tensors;
  for (const Vector& row : rows) {
    tensors.push_back(FloatTensor(row, {static_cast<int64_t>(row.size())}));
  }
  return at::stack(tensors);
}

Vector Less(const Vector& a, const Vector& b) {
  Vector difference(a.size());
  for (size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return difference;
}

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Vector MeanOf(const std::vector<Vector>& rows) {
  Vector mean(rows.front().size(), 0);
  for (const Vector& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      mean[i] += row[i] / static_cast<double>(rows.size());
    }
  }
  return mean;
}

// s times what the concept slots alone add to b_dec where the residual is `h`.
Vector ConceptsAlone(const ReferenceSae& sae, const Vector& h) {
  const Vector z = sae.Encode(h);
  const int d_model = sae.config.d_model;
  Vector written(d_model, 0);
  for (const Concept& entry : sae.config.concepts) {
    for (int d = 0; d < d_model; ++d) {
      written[d] += sae.config.scale * z[entry.slot] *
                    sae.w_dec[entry.slot * d_model + d];
    }
  }
  return written;
}

TEST(WrittenTest, IsThatOfScalarLoops) {
  for (SaeActivation activation :
       {SaeActivation::kIdentity, SaeActivation::kRelu, SaeActivation::kTopK,
        SaeActivation::kJumpRelu}) {
    const ReferenceSae reference = WrittenReference(activation, 3);
    const int d_model = reference.config.d_model;
    const std::vector<Vector> means = Means(d_model, 6);
    std::vector<Vector> alone;
    for (const Vector& mean : means) {
      alone.push_back(ConceptsAlone(reference, mean));
    }
    ASSERT_OK_AND_ASSIGN(const std::vector<WriteCertificate> measured,
                         MeasureWritten(SaeOf(reference), TensorOf(means)));
    ASSERT_EQ(measured.size(), means.size());
    for (size_t r = 0; r < means.size(); ++r) {
      const Vector wanted = Less(means[r], MeanOf(means));
      const Vector written = Less(alone[r], MeanOf(alone));
      const int slot = reference.config.concepts[r].slot;
      const Vector direction(reference.w_dec.begin() + slot * d_model,
                             reference.w_dec.begin() + (slot + 1) * d_model);
      EXPECT_NEAR(measured[r].cosine,
                  Dot(direction, wanted) / (Norm(direction) * Norm(wanted)),
                  1e-6)
          << SaeActivationName(activation) << r;
      EXPECT_NEAR(measured[r].written_share,
                  Dot(written, wanted) / Dot(wanted, wanted), 1e-5)
          << SaeActivationName(activation) << r;
      EXPECT_EQ(measured[r].measured_swap, std::nullopt);
    }
  }
}

TEST(WrittenTest, WhereNothingDiffersNothingIsWritten) {
  const ReferenceSae reference = WrittenReference(SaeActivation::kRelu, 1);
  ASSERT_OK_AND_ASSIGN(
      const std::vector<WriteCertificate> measured,
      MeasureWritten(SaeOf(reference),
                     at::zeros({kClasses, reference.config.d_model})));
  for (const WriteCertificate& certificate : measured) {
    EXPECT_EQ(certificate, WriteCertificate());
  }
}

TEST(WrittenTest, ClassMeansOfAnotherShapeOrWithoutEndAreRefused) {
  const ReferenceSae reference = WrittenReference(SaeActivation::kRelu, 1);
  EXPECT_THAT(MeasureWritten(SaeOf(reference), at::zeros({2, 12})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "class_means: must have shape [3, 12], got [2, 12]"));
  EXPECT_THAT(
      MeasureWritten(SaeOf(reference), at::full({3, 12}, NAN)),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("finite")));
}

class CertificateFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = absl::StrCat(::testing::TempDir(), "/certificate_file");
    std::filesystem::remove_all(directory_);
    sae_ = SaeOf(reference_);
    config_ = sae_->config();
    const at::Tensor means = TensorOf(Means(config_.d_model, 6));
    ASSERT_OK_AND_ASSIGN(const auto measured, MeasureWritten(*sae_, means));
    for (size_t r = 0; r < measured.size(); ++r) {
      config_.concepts[r].certificate = measured[r];
    }
    std::filesystem::create_directories(directory_);
    ASSERT_OK(SaveClassMeans(directory_, means));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  // As a loader does, with only the slots read.
  absl::Status Check() const {
    ALIGNSAE_RETURN_IF_ERROR(SaveSae(directory_, config_, sae_->weights()));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const Sae loaded, Sae::Load(directory_, Sae::LoadMode::kConceptsOnly));
    EXPECT_EQ(loaded.config(), config_);
    return CheckCertificates(directory_, loaded);
  }

  const ReferenceSae reference_ = WrittenReference(SaeActivation::kRelu, 2.5);
  std::string directory_;
  std::optional<Sae> sae_;
  SaeConfig config_;
};

TEST_F(CertificateFileTest, WhatWasWrittenIsFoundAgain) {
  EXPECT_OK(Check());
  config_.concepts[1].certificate.reset();  // Some may have none.
  EXPECT_OK(Check());
}

TEST_F(CertificateFileTest, AnEditedFigureIsRefused) {
  const SaeConfig good = config_;
  config_.concepts[1].certificate->cosine += 0.001;
  EXPECT_THAT(
      Check(),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(StartsWith(directory_ + "/cfg.json: alignsae.concepts[1]."
                                             "certificate.cosine: must be "),
                     HasSubstr(" as the weights and class_means.safetensors "
                               "give, got "))));
  config_ = good;
  config_.concepts[2].certificate->written_share *= 1.01;
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kInvalidArgument,
                                HasSubstr("concepts[2].certificate."
                                          "written_share: must be ")));
}

TEST_F(CertificateFileTest, CertificatesWithoutClassMeansAreRefused) {
  std::filesystem::remove(directory_ + "/class_means.safetensors");
  EXPECT_THAT(Check(), StatusIs(absl::StatusCode::kNotFound,
                                HasSubstr("class_means.safetensors: must be "
                                          "there for the certificates")));
  for (Concept& entry : config_.concepts) entry.certificate.reset();
  EXPECT_OK(Check());
}

}  // namespace
}  // namespace alignsae
