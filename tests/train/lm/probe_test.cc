#include "model/train/lm/probe.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "model/gpt2/gpt2.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_model.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

Gpt2Config ProbedShape() {
  Gpt2Config config;
  config.n_layer = 2;
  config.n_head = 2;
  config.d_model = 16;
  config.d_inner = 32;
  config.context_length = 20;
  config.vocab_size = 13;
  return config;
}

// The greedy token after `tokens`, without a cache.
int32_t NextGreedy(const Gpt2& model, const std::vector<int32_t>& tokens) {
  KvCache cache(model.config().facts(), 1, at::kCPU);
  PackedRow row;
  row.length = static_cast<int>(tokens.size());
  row.exit_site = model.config().n_layer;
  row.logits = 1;
  return static_cast<int32_t>(
      model.Forward(tokens, {row}, cache, nullptr).argmax(-1).item<int64_t>());
}

TEST(GreedyDecodeTest, BatchedAndCachedEqualsOneAtATimeRecomputed) {
  const Gpt2 model = TinyModel(ProbedShape());
  const int32_t eos = 5;
  std::vector<std::vector<int32_t>> prompts;
  for (int i = 0; i < 200; ++i) {  // More than one group of cache slots.
    prompts.push_back(RandomTokens(ProbedShape(), 1 + i % 7, i));
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<ArmAnswer> answers,
                       GreedyDecode(model, prompts, 6, eos));
  ASSERT_EQ(answers.size(), prompts.size());
  int ended = 0;
  for (size_t i = 0; i < prompts.size(); ++i) {
    std::vector<int32_t> text = prompts[i];
    ArmAnswer want;
    while (want.tokens.size() < 6 && !want.ended) {
      const int32_t next = NextGreedy(model, text);
      want.ended = next == eos;
      if (!want.ended) want.tokens.push_back(next);
      text.push_back(next);
    }
    EXPECT_EQ(answers[i].tokens, want.tokens) << i;
    EXPECT_EQ(answers[i].ended, want.ended) << i;
    ended += want.ended ? 1 : 0;
  }
  EXPECT_GT(ended, 0);
  EXPECT_LT(ended, 200);
}

TEST(GreedyDecodeTest, StopsAtTheEndOfTheContext) {
  const Gpt2 model = TinyModel(ProbedShape());
  const std::vector<std::vector<int32_t>> prompts = {
      RandomTokens(ProbedShape(), 18, 1)};
  ASSERT_OK_AND_ASSIGN(const std::vector<ArmAnswer> answers,
                       GreedyDecode(model, prompts, 100, -1));
  EXPECT_EQ(answers[0].tokens.size(), 2u);  // At 18 and 19.
  EXPECT_FALSE(answers[0].ended);
}

TEST(GreedyDecodeTest, NothingToAskIsNoAnswer) {
  EXPECT_THAT(GreedyDecode(TinyModel(ProbedShape()), {}, 4, 0),
              IsOkAndHolds(::testing::IsEmpty()));
}

TEST(ProbeAccuracyTest, ARandomModelAnswersNothing) {
  const Corpus corpus = SmallCorpus();
  const Tokenizer tokenizer = SmallTokenizer(corpus);
  Gpt2Config config = ProbedShape();
  config.context_length = 64;
  config.vocab_size = tokenizer.vocab_size();
  ASSERT_OK_AND_ASSIGN(const ProbeResult result,
                       ProbeAccuracy(TinyModel(config), tokenizer,
                                     LmTextsOf(corpus), Split::kTest, 2));
  EXPECT_EQ(result.asked.mean, 0);
  EXPECT_EQ(result.never_asked.mean, 0);
}

}  // namespace
}  // namespace alignsae
