#include "model/tokenizer/bpe_trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/tokenizer/limits.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// Sentences of made-up words, a function of `seed` alone.
std::vector<std::string> MadeUpCorpus(uint64_t seed, int sentences) {
  CounterRng rng(seed);
  std::vector<std::string> words;
  for (int i = 0; i < 400; ++i) {
    std::string word;
    for (uint64_t n = 2 + rng.NextBelow(9); n > 0; --n) {
      word.push_back("etaoinshrdlu"[rng.NextBelow(12)]);
    }
    words.push_back(word);
  }
  std::vector<std::string> texts;
  for (int i = 0; i < sentences; ++i) {
    std::string text;
    for (int n = 0; n < 12; ++n) {
      // The product of two draws: some words are far more frequent.
      const size_t word = static_cast<size_t>(rng.NextUniform() *
                                              rng.NextUniform() * words.size());
      absl::StrAppend(&text, text.empty() ? "" : " ", words[word]);
    }
    texts.push_back(text + ".");
  }
  return texts;
}

TEST(BpeTrainerTest, MergesTheMostFrequentPairFirst) {
  ASSERT_OK_AND_ASSIGN(
      const BpeVocabulary vocabulary,
      TrainBpe({"low low low lower lower"}, {.vocab_size = 260}));
  // "l o" and "o w" are there five times, "ow" has the higher ids: "l o" goes
  // first and takes "o w" with it.
  EXPECT_EQ(vocabulary.merges_txt, "#version: 0.2\nl o\nlo w\n\u0120 low\n");
}

TEST(BpeTrainerTest, NumbersBytesThenMergesThenEndOfText) {
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                       TrainBpe({"aaaa aaaa"}, {.vocab_size = 259}));
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
  EXPECT_EQ(tokenizer.vocab_size(), 259);
  EXPECT_EQ(tokenizer.TokenBytes(0), "!");
  EXPECT_EQ(tokenizer.TokenBytes(256), "aa");
  EXPECT_EQ(tokenizer.TokenBytes(257), "aaaa");
  EXPECT_EQ(tokenizer.eos_token_id(), 258);
}

TEST(BpeTrainerTest, StopsWhereNoPairIsFrequentEnough) {
  const std::vector<std::string> texts = {"ab ab ab cd cd"};
  ASSERT_OK_AND_ASSIGN(
      const BpeVocabulary three,
      TrainBpe(texts, {.vocab_size = 400, .min_frequency = 3}));
  EXPECT_EQ(three.merges_txt, "#version: 0.2\na b\n");
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary two,
                       TrainBpe(texts, {.vocab_size = 400}));
  // One " ab" of three has no blank, so " ab" is there twice.
  EXPECT_EQ(two.merges_txt, "#version: 0.2\na b\nc d\n\u0120 ab\n\u0120 cd\n");
}

TEST(BpeTrainerTest, MakesAByteVocabularyOfAnEmptyCorpus) {
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary, TrainBpe({}, {}));
  EXPECT_EQ(vocabulary.merges_txt, "#version: 0.2\n");
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
  EXPECT_EQ(tokenizer.vocab_size(), 257);
}

TEST(BpeTrainerTest, NeverMakesOneTokenTwice) {
  // "ab" + "c" and "a" + "bc" both spell "abc"; two merges for it would make an
  // entry of vocab.json twice.
  for (uint64_t seed = 0; seed < 20; ++seed) {
    ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                         TrainBpe(MadeUpCorpus(seed, 60), {.vocab_size = 700}));
    ASSERT_OK_AND_ASSIGN(
        const Tokenizer tokenizer,
        Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
    const int merges =
        static_cast<int>(std::count(vocabulary.merges_txt.begin(),
                                    vocabulary.merges_txt.end(), '\n')) -
        1;
    EXPECT_EQ(tokenizer.vocab_size(), 256 + merges + 1) << "seed " << seed;
  }
}

TEST(BpeTrainerTest, GivesTheSameFilesAgain) {
  const std::vector<std::string> texts = MadeUpCorpus(7, 300);
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary one,
                       TrainBpe(texts, {.vocab_size = 900}));
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary two,
                       TrainBpe(texts, {.vocab_size = 900}));
  EXPECT_EQ(one.vocab_json, two.vocab_json);
  EXPECT_EQ(one.merges_txt, two.merges_txt);
}

TEST(BpeTrainerTest, EncodesItsOwnCorpusInFarFewerTokensThanBytes) {
  const std::vector<std::string> texts = MadeUpCorpus(3, 200);
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                       TrainBpe(texts, {.vocab_size = 2048}));
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
  size_t bytes = 0;
  size_t tokens = 0;
  for (const std::string& text : texts) {
    const std::vector<int32_t> ids = tokenizer.Encode(text);
    EXPECT_THAT(tokenizer.Decode(ids), IsOkAndHolds(text));
    bytes += text.size();
    tokens += ids.size();
  }
  EXPECT_LT(tokens * 4, bytes);
}

TEST(BpeTrainerTest, TakesAnyBytesAndMakesNoTokenThatCannotBeLoaded) {
  std::string all_bytes;
  for (int b = 0; b < 256; ++b) all_bytes.push_back(static_cast<char>(b));
  const std::vector<std::string> texts = {
      all_bytes, all_bytes, "\"\\\"\\\"\\\"\\", std::string(100'000, '-')};
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary vocabulary,
                       TrainBpe(texts, {.vocab_size = 1024}));
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(vocabulary.vocab_json, vocabulary.merges_txt, ""));
  for (int id = 0; id < tokenizer.vocab_size(); ++id) {
    EXPECT_LE(tokenizer.TokenBytes(id).size(), kMaxTokenBytes);
  }
}

TEST(BpeTrainerTest, RefusesOptionsOutsideTheirRules) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  for (int size : {-1, 0, 256, 65537}) {
    EXPECT_THAT(
        TrainBpe({"a"}, {.vocab_size = size}),
        StatusIs(
            invalid,
            absl::StrCat("vocab_size: must be in [257, 65536], got ", size)));
  }
  EXPECT_THAT(TrainBpe({"a"}, {.min_frequency = 0}),
              StatusIs(invalid, "min_frequency: must be at least 1, got 0"));
}

}  // namespace
}  // namespace alignsae
