// Which tokens are labels, and what an epoch holds.

#include "model/train/lm/data.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class LmDataTest : public ::testing::Test {
 protected:
  // The texts of an example before its first label, and from there on.
  std::string Prompt(const LmExample& e) const {
    return *tokenizer_.Decode(absl::MakeSpan(e.tokens.data(), e.first_label));
  }
  std::string Labels(const LmExample& e) const {
    return *tokenizer_.Decode(absl::MakeSpan(e.tokens).subspan(e.first_label));
  }

  const Corpus corpus_ = SmallCorpus();
  const Tokenizer tokenizer_ = SmallTokenizer(corpus_);
  const LmOptions options_ = SmallOptions();
  const LmExamples examples_ =
      *LmExamples::Create(LmTextsOf(corpus_), tokenizer_, 160);
};

TEST_F(LmDataTest, QuestionsHaveOnlyTheAnswerAndEosAsLabels) {
  for (const LmBatchPlan& plan : examples_.EpochBatches(options_, 0)) {
    if (!plan.questions) continue;
    for (const LmExample* example : plan.examples) {
      const std::string prompt = Prompt(*example);
      const auto question =
          std::find_if(corpus_.questions.begin(), corpus_.questions.end(),
                       [&](const Question& q) { return q.prompt == prompt; });
      ASSERT_NE(question, corpus_.questions.end()) << prompt;
      EXPECT_EQ(Labels(*example), question->answer + "<|endoftext|>");
      EXPECT_EQ(example->tokens.back(), tokenizer_.eos_token_id());
    }
  }
}

TEST_F(LmDataTest, BiographiesHaveEveryTokenButTheFirstAsLabel) {
  size_t biographies = 0;
  for (const LmBatchPlan& plan : examples_.EpochBatches(options_, 0)) {
    if (plan.questions) continue;
    for (const LmExample* example : plan.examples) {
      ++biographies;
      EXPECT_EQ(example->first_label, 1);
      EXPECT_EQ(example->tokens.back(), tokenizer_.eos_token_id());
    }
  }
  EXPECT_EQ(biographies, corpus_.biographies.size());
}

TEST_F(LmDataTest, NeverAsksAboutHalfOfThePeopleNorInUnseenWordings) {
  std::set<std::string> seen;
  for (int epoch = 0; epoch < 40; ++epoch) {
    for (const LmBatchPlan& plan : examples_.EpochBatches(options_, epoch)) {
      if (!plan.questions) continue;
      for (const LmExample* e : plan.examples) seen.insert(Prompt(*e));
    }
  }
  size_t expected = 0;
  for (const Question& question : corpus_.questions) {
    const bool may = corpus_.people[question.person].asked &&
                     question.split != Split::kUnseen;
    expected += may ? 1 : 0;
    EXPECT_EQ(seen.count(question.prompt), may ? 1u : 0u) << question.prompt;
  }
  EXPECT_EQ(seen.size(), expected);
}

TEST_F(LmDataTest, EveryEpochAsksEachFactInTheGivenNumberOfWordings) {
  size_t questions = 0;
  std::set<const LmExample*> distinct;
  for (const LmBatchPlan& plan : examples_.EpochBatches(options_, 5)) {
    if (!plan.questions) continue;
    questions += plan.examples.size();
    distinct.insert(plan.examples.begin(), plan.examples.end());
  }
  EXPECT_EQ(questions, 3u * kRelationCount * options_.wordings_per_epoch);
  EXPECT_EQ(distinct.size(), questions);
}

TEST_F(LmDataTest, EpochOrderIsAFunctionOfSeedAndEpoch) {
  const auto order = [&](uint64_t seed, int64_t epoch) {
    LmOptions options = options_;
    options.seed = seed;
    std::vector<const LmExample*> all;
    for (const LmBatchPlan& p : examples_.EpochBatches(options, epoch)) {
      all.insert(all.end(), p.examples.begin(), p.examples.end());
    }
    return all;
  };
  EXPECT_EQ(order(1, 4), order(1, 4));
  EXPECT_NE(order(1, 4), order(1, 5));
  EXPECT_NE(order(1, 4), order(2, 4));
}

TEST_F(LmDataTest, StepsPerEpochIsTheNumberOfBatches) {
  for (int wordings : {1, 2, 8, 50}) {  // There are eight.
    LmOptions options = options_;
    options.wordings_per_epoch = wordings;
    EXPECT_EQ(examples_.StepsPerEpoch(options),
              static_cast<int64_t>(examples_.EpochBatches(options, 9).size()));
  }
}

TEST_F(LmDataTest, CollatePadsOnTheRightAndPointsLabelsAtTheTokenBefore) {
  const LmExample a{.tokens = {10, 11, 12, 13}, .first_label = 2};
  const LmExample b{.tokens = {20, 21}, .first_label = 1};
  const std::vector<const LmExample*> batch = {&a, &b};
  const LmBatch collated = Collate(batch, at::kCPU);
  EXPECT_TRUE(
      at::equal(collated.ids,
                at::tensor({10, 11, 12, 20, 0, 0}, at::kLong).view({2, 3})));
  EXPECT_TRUE(at::equal(collated.rows, at::tensor({1, 2, 3}, at::kLong)));
  EXPECT_TRUE(at::equal(collated.labels, at::tensor({12, 13, 21}, at::kLong)));
}

TEST_F(LmDataTest, RefusesATextLongerThanTheContext) {
  EXPECT_THAT(LmExamples::Create(LmTextsOf(corpus_), tokenizer_, 16),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("context: must be at least")));
}

TEST_F(LmDataTest, RefusesATokenizerWithoutEndOfText) {
  ASSERT_OK_AND_ASSIGN(VocabularyFiles files,
                       MakeVocabulary(LmTextsOf(corpus_), options_, ""));
  const size_t at = files.vocab_json.find("<|endoftext|>");
  files.vocab_json.replace(at, 13, "<|beginning|>");
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(files.vocab_json, files.merges_txt, ""));
  EXPECT_THAT(LmExamples::Create(LmTextsOf(corpus_), tokenizer, 160),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tokenizer: must have <|endoftext|>")));
}

}  // namespace
}  // namespace alignsae
