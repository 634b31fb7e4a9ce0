// Which wordings each part of the recipe may see. A wording that is too long
// for the model is an error for whoever reads it, so "poisoning" a split tells
// who does.

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/gpt2/gpt2.h"
#include "model/train/eval/eval.h"
#include "model/train/eval/select.h"
#include "model/train/lm/model.h"
#include "model/train/sae/checkpoint.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

constexpr HookPoint kProtocolHook = {HookKind::kResidPost, 0};

class EvalProtocolTest : public ::testing::Test {
 protected:
  EvalProtocolTest()
      : corpus_(SmallCorpus()),
        tokenizer_(std::make_shared<const Tokenizer>(SmallTokenizer(corpus_))),
        model_(MakeModel()) {}

  std::shared_ptr<const Transformer> MakeModel() const {
    InitialModel made =
        *MakeInitialModel(SmallOptions(), *tokenizer_, "", at::kCPU);
    for (auto& [name, tensor] : made.weights.Named()) {
      *tensor = tensor->detach();
    }
    made.weights.lm_head = made.weights.wte;
    return std::make_shared<const Gpt2>(made.config, made.weights);
  }

  // The set with every wording of `splits` too long for the model.
  EvalSet Poisoned(const std::vector<Split>& splits) const {
    EvalSet set = EvalSetOf(corpus_);
    for (EvalWording& wording : set.wordings) {
      for (Split split : splits) {
        if (wording.split != split) continue;
        for (int i = 0; i < 2000; ++i) wording.pattern += " more";
      }
    }
    return set;
  }

  absl::Status Collect(const EvalSet& set) const {
    return CollectSaeInputs(*model_, *tokenizer_, set, SaeOptions(),
                            {kProtocolHook})
        .status();
  }

  // With a random SAE that has a slot for each relation.
  std::unique_ptr<EvalSubject> SubjectOf(const EvalSet& set) const {
    const int relations = set.relation_count();
    const int d_model = SmallOptions().width;
    SaeConfig config;
    config.d_model = d_model;
    config.n_features = relations;
    config.hook = kProtocolHook;
    for (int r = 0; r < relations; ++r) {
      Concept& entry = config.concepts.emplace_back();
      entry.name = set.relations[r];
      entry.slot = r;
      entry.active_mean = 1;
    }
    SaeWeights weights;
    weights.w_enc = UniformTensor({d_model, relations}, 1, 1);
    weights.b_enc = UniformTensor({relations}, 1, 2);
    weights.w_dec = UniformTensor({relations, d_model}, 1, 3);
    weights.b_dec = UniformTensor({d_model}, 1, 4);
    std::vector<Sae> saes;
    saes.push_back(Sae::FromWeights(config, weights).value());
    const EvalInputs inputs = {model_, tokenizer_, &set};
    return EvalSubject::Create(inputs, std::move(saes), 64).value();
  }

  static EvalOptions Options() {
    EvalOptions options;
    options.alphas = "1";
    options.modes = "SWAP,SET";
    options.max_tokens = 2;
    return options;
  }

  // Choice of layer, mode and alpha.
  absl::Status Select(const EvalSet& set) const {
    nlohmann::json selection;
    return SelectSteering(*SubjectOf(set), Options(), nullptr, selection)
        .status();
  }

  Corpus corpus_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  const std::shared_ptr<const Transformer> model_;
};

TEST_F(EvalProtocolTest, TheSaeNeverSeesTestOrUnseenWordings) {
  EXPECT_OK(Collect(Poisoned({Split::kTest, Split::kUnseen})));
  EXPECT_THAT(Collect(Poisoned({Split::kSaeTrain})),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Collect(Poisoned({Split::kValidation})),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(EvalProtocolTest, TheChoiceSeesValidationWordingsAlone) {
  EXPECT_OK(Select(Poisoned({Split::kTest, Split::kUnseen, Split::kSaeTrain})));
  EXPECT_THAT(Select(Poisoned({Split::kValidation})),
              StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_F(EvalProtocolTest, EverySplitThatHasWordingsIsToldByItself) {
  EvalSet set = EvalSetOf(corpus_);
  for (EvalWording& wording : set.wordings) {
    if (wording.wording == 6) wording.split = Split::kFamilies;
    if (wording.wording == 8) wording.split = Split::kByHand;
  }
  EvalOptions options = Options();
  options.alphas = "1,2";
  ASSERT_OK_AND_ASSIGN(const nlohmann::json evaluation,
                       Evaluate(*SubjectOf(set), options, nullptr));
  for (const char* split : {"test", "unseen", "families", "by_hand"}) {
    SCOPED_TRACE(split);
    ASSERT_TRUE(evaluation.contains(split));
    EXPECT_EQ(evaluation[split]["binding"]["prompts"], 6 * 6);
    EXPECT_EQ(evaluation["language_model"][split]["all"]["tries"], 6 * 6);
    EXPECT_EQ(evaluation["language_model"][split]["by_relation"].size(), 6u);
    EXPECT_EQ(evaluation["protocol"]["wordings_per_relation"][split], 1);
    EXPECT_EQ(evaluation[split]["swap"]["by_target"].size(), 6u);
  }
  EXPECT_EQ(evaluation["unseen"]["swap"]["alpha_curve"].size(), 2u);
  EXPECT_EQ(evaluation["families"]["swap"]["alpha_curve"].size(), 1u);
  EXPECT_FALSE(evaluation.contains("synonyms"));
  EXPECT_FALSE(evaluation["language_model"].contains("lm_only"));
}

}  // namespace
}  // namespace alignsae
