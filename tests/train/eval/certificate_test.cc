// Certificates on residuals that are known, and on the people of a small
// corpus: which prompts they come from, and what they count.

#include "model/train/eval/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "model/train/lm/model.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr HookPoint kCertifiedHook = {HookKind::kResidPost, 0};

// A slot for each name, whose direction is `directions`' row; the encoder is
// the identity on the first R dimensions.
Sae SaeWith(const std::vector<std::string>& names, const at::Tensor& directions,
            double scale) {
  const int64_t concepts = directions.size(0);
  SaeConfig config;
  config.d_model = static_cast<int>(directions.size(1));
  config.n_features = static_cast<int>(concepts);
  config.hook = kCertifiedHook;
  config.scale = scale;
  for (int64_t r = 0; r < concepts; ++r) {
    Concept& entry = config.concepts.emplace_back();
    entry.name = names[r];
    entry.slot = static_cast<int>(r);
    entry.active_mean = 1;
  }
  SaeWeights weights;
  weights.w_enc = at::eye(config.d_model).narrow(1, 0, concepts).contiguous();
  weights.b_enc = at::zeros({concepts});
  weights.w_dec = directions;
  weights.b_dec = at::zeros({config.d_model});
  return Sae::FromWeights(config, weights).value();
}

// Classes at 2 e_0 and 2 e_1, of one prompt and of two.
QuestionResiduals TwoClasses() {
  QuestionResiduals questions;
  questions.labels = at::tensor({0, 1, 1}, at::kLong);
  questions.by_hook[kCertifiedHook] =
      at::tensor({2.0, 0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 2.0, -1.0}, at::kDouble)
          .to(at::kFloat)
          .reshape({3, 3});
  return questions;
}

TEST(CertificateTest, SlotsThatWriteTheirClassHaveFullMarks) {
  ASSERT_OK_AND_ASSIGN(
      const Certified certified,
      CertifyResiduals(SaeWith({"a", "b"}, at::eye(3).narrow(0, 0, 2), 4),
                       TwoClasses()));
  EXPECT_TRUE(at::equal(
      certified.class_means,
      at::tensor({2.0f, 0.0f, 0.0f, 0.0f, 2.0f, 0.0f}).reshape({2, 3})));
  // Each slot's direction has half of the way from one class to the other in
  // its line: cos 45 degrees; together they write all of it.
  for (const WriteCertificate& certificate : certified.certificates) {
    EXPECT_NEAR(certificate.cosine, std::sqrt(0.5), 1e-6);
    EXPECT_NEAR(certificate.written_share, 1, 1e-6);
    EXPECT_EQ(certificate.measured_swap, std::nullopt);
  }
}

TEST(CertificateTest, SlotsThatReadAndDoNotWriteHaveNone) {
  // Both write what the classes have in common.
  const at::Tensor aside =
      at::tensor({0.0f, 0.0f, 1.0f, 0.0f, 0.0f, 1.0f}).reshape({2, 3});
  ASSERT_OK_AND_ASSIGN(
      const Certified certified,
      CertifyResiduals(SaeWith({"a", "b"}, aside, 4), TwoClasses()));
  for (const WriteCertificate& certificate : certified.certificates) {
    EXPECT_NEAR(certificate.cosine, 0, 1e-6);
    EXPECT_NEAR(certificate.written_share, 0, 1e-6);
  }
}

TEST(CertificateTest, AClassWithoutAPromptIsRefused) {
  QuestionResiduals questions = TwoClasses();
  questions.labels.fill_(0);
  EXPECT_THAT(
      CertifyResiduals(SaeWith({"a", "b"}, at::eye(3).narrow(0, 0, 2), 4),
                       questions),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("concept 1")));
}

class CertifyOnPeopleTest : public ::testing::Test {
 protected:
  CertifyOnPeopleTest()
      : corpus_(SmallCorpus()),
        tokenizer_(std::make_shared<const Tokenizer>(SmallTokenizer(corpus_))),
        set_(EvalSetOf(corpus_)) {
    InitialModel made =
        *MakeInitialModel(SmallOptions(), *tokenizer_, "", at::kCPU);
    for (auto& [name, tensor] : made.weights.Named()) {
      *tensor = tensor->detach();
    }
    made.weights.lm_head = made.weights.wte;
    model_ = std::make_shared<const Gpt2>(made.config, made.weights);
  }

  Sae SaeOfSet() const {
    return SaeWith(
        set_.relations,
        UniformTensor({set_.relation_count(), SmallOptions().width}, 1, 3), 1);
  }

  const Corpus corpus_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  EvalSet set_;
  std::shared_ptr<const Transformer> model_;
};

TEST_F(CertifyOnPeopleTest, ComesFromTestWordingsAloneAndCountsThem) {
  const nlohmann::json evaluation = nlohmann::json::parse(R"({
      "protocol": {"options": {"sample": 2}},
      "test": {"swap": {"by_target": {
          "employer": {"all": {"tries": 40, "whole": 0.75}}}}}})");
  for (EvalWording& wording : set_.wordings) {
    if (wording.split == Split::kTest) continue;
    for (int i = 0; i < 2000; ++i) wording.pattern += " more";  // Too long.
  }
  const EvalInputs inputs = {model_, tokenizer_, &set_};
  ASSERT_OK_AND_ASSIGN(const Certified certified,
                       CertifyOnPeople(inputs, SaeOfSet(), evaluation));
  for (int r = 0; r < set_.relation_count(); ++r) {
    const auto& swap = certified.certificates[r].measured_swap;
    if (set_.relations[r] == "employer") {
      // 5 other relations of 2 test wordings; 2 people of each half.
      EXPECT_EQ(swap, MeasuredSwapOf(30, 40, 10, 4));
    } else {
      EXPECT_EQ(swap, std::nullopt);
    }
  }
  // The means are over the people that were sampled.
  ASSERT_OK_AND_ASSIGN(
      const QuestionResiduals test,
      CollectQuestions(*model_, *tokenizer_, set_, SamplePeople(set_, 2),
                       Split::kTest, {kCertifiedHook}));
  const at::Tensor first =
      test.by_hook.at(kCertifiedHook)
          .index_select(0, (test.labels == 0).nonzero().squeeze(1))
          .mean(0);
  EXPECT_TRUE(at::allclose(certified.class_means[0], first, 1e-5, 1e-5));
  // Without an evaluation nobody has been swapped.
  ASSERT_OK_AND_ASSIGN(
      const Certified alone,
      CertifyOnPeople(inputs, SaeOfSet(), nlohmann::json::object()));
  for (const WriteCertificate& certificate : alone.certificates) {
    EXPECT_EQ(certificate.measured_swap, std::nullopt);
  }
  EXPECT_FALSE(at::allclose(alone.class_means, certified.class_means));
}

TEST(RenderCertificatesTest, SaysWhatIsAbsent) {
  std::vector<Concept> concepts(3);
  concepts[0].name = "birth_city";
  concepts[0].certificate =
      WriteCertificate{.cosine = 0.9482,
                       .written_share = 0.8,
                       .measured_swap = MeasuredSwapOf(90, 100, 10, 20)};
  concepts[1].name = "dead";
  concepts[1].certificate.emplace();
  concepts[2].name = "new";
  const std::string text = RenderCertificates(concepts);
  EXPECT_THAT(text, HasSubstr("birth_city             0.948    0.800   1.25  "
                              "0.900 [0.826, 0.945] of 100        10     20"));
  EXPECT_THAT(text, HasSubstr("dead                   0.000    0.000      -  "
                              "not measured\n"));
  EXPECT_THAT(text, HasSubstr("new                        -\n"));
}

}  // namespace
}  // namespace alignsae
