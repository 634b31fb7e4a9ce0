#include "model/train/eval/agreement.h"

#include <gtest/gtest.h>

#include <vector>

#include "model/gpt2/gpt2.h"
#include "tests/support/tiny_bundle.h"
#include "tests/support/tiny_model.h"

namespace alignsae {
namespace {

std::vector<ForcedText> Texts(int count) {
  std::vector<ForcedText> texts;
  for (int i = 0; i < count; ++i) {
    texts.push_back({RandomTokens(TinyGpt2Config(), 3 + i % 5, 2 * i),
                     RandomTokens(TinyGpt2Config(), i % 4, 2 * i + 1)});
  }
  return texts;
}

TEST(AgreementTest, ModelAgreesWithItself) {
  const Gpt2 model(TinyGpt2Config(), TinyBundleWeights());
  const Sae sae = TinySae({HookKind::kResidPre, 2}, 32, 5);
  const Agreement agreement = MeasureAgreement(model, model, Texts(70), &sae);
  // One position for each prompt, and one more for each answer token but the
  // last: answers have 0, 1, 2 and 3 tokens in turn.
  EXPECT_EQ(agreement.positions, 18 + 18 + 17 * 2 + 17 * 3);
  EXPECT_EQ(agreement.top1, 1);
  EXPECT_EQ(agreement.kl, 0);
  EXPECT_EQ(agreement.clear_top1, 1);
  EXPECT_EQ(agreement.prompts, 70);
  EXPECT_EQ(agreement.readout, 1);
}

TEST(AgreementTest, AnotherModelDisagrees) {
  const Gpt2 model(TinyGpt2Config(), TinyBundleWeights());
  const Gpt2 other = TinyModel(TinyGpt2Config(), 9);
  const Sae sae = TinySae({HookKind::kResidPre, 2}, 32, 5);
  const Agreement agreement = MeasureAgreement(model, other, Texts(70), &sae);
  EXPECT_LT(agreement.top1, 0.3);
  EXPECT_GT(agreement.kl, 0.1);
  EXPECT_LT(agreement.readout, 0.9);
  EXPECT_LE(agreement.clear_positions, agreement.positions);
}

}  // namespace
}  // namespace alignsae
