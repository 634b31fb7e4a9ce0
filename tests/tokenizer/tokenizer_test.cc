#include "model/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/tokenizer/utf8.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"
#include "tests/tokenizer/small_tokenizer.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Has merges inside of multi-byte characters, and tokens that are half of one.
Tokenizer TrainedTokenizer() {
  std::vector<std::string> corpus;
  for (int i = 0; i < 4; ++i) {
    corpus.push_back("the café, the 日本語 the 😀😃😄 naïve the ÿÿÿ    \n\n\n");
  }
  absl::StatusOr<BpeVocabulary> files = TrainBpe(corpus, {.vocab_size = 290});
  EXPECT_OK(files);
  absl::StatusOr<Tokenizer> tokenizer =
      Tokenizer::FromFiles(files->vocab_json, files->merges_txt, "");
  EXPECT_OK(tokenizer);
  return *std::move(tokenizer);
}

// Bytes that are UTF-8 more often than chance would have it.
std::string RandomBytes(CounterRng& rng) {
  static const std::vector<std::string> parts = {
      "the", " the", "é", "日本", "😀", "\n", "  ", "'s", "9", "ÿ", "\xff"};
  std::string text;
  for (uint64_t n = rng.NextBelow(20); n > 0; --n) {
    if (rng.NextBelow(2) == 0) {
      text += parts[rng.NextBelow(parts.size())];
    } else {
      text.push_back(static_cast<char>(rng.NextBelow(256)));
    }
    if (rng.NextBelow(4) == 0) text.pop_back();  // Half a character.
  }
  return text;
}

TEST(TokenizerTest, EncodesAndDecodesText) {
  const Tokenizer tokenizer = SmallTokenizer();
  EXPECT_THAT(tokenizer.Encode(""), IsEmpty());
  EXPECT_THAT(tokenizer.Encode("the then th"),
              ElementsAre(kThe, kSpaceThe, ByteId('n'), ByteId(' '), kTh));
  EXPECT_THAT(tokenizer.Decode({kThe, kSpaceThe}), IsOkAndHolds("the the"));
  EXPECT_THAT(tokenizer.Decode({}), IsOkAndHolds(""));
}

TEST(TokenizerTest, DecodesWhatItEncodesForAnyBytes) {
  const Tokenizer tokenizer = TrainedTokenizer();
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    CounterRng rng(seed);
    const std::string bytes = RandomBytes(rng);
    ASSERT_THAT(tokenizer.Decode(tokenizer.Encode(bytes)), IsOkAndHolds(bytes))
        << "seed " << seed;
  }
}

TEST(TokenizerTest, RefusesToDecodeIdsOutsideTheVocabulary) {
  const Tokenizer tokenizer = SmallTokenizer();
  EXPECT_THAT(tokenizer.Decode({0, 260}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "token_ids[1]: must be in [0, 259], got 260"));
  EXPECT_THAT(tokenizer.Decode({-1}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "token_ids[0]: must be in [0, 259], got -1"));
}

TEST(TokenizerTest, TellsTheBytesOfATokenAndWhetherItIsSpecial) {
  const Tokenizer tokenizer = SmallTokenizer();
  EXPECT_EQ(tokenizer.vocab_size(), 260);
  EXPECT_EQ(tokenizer.eos_token_id(), kEos);
  EXPECT_EQ(tokenizer.TokenBytes(kSpaceThe), " the");
  EXPECT_EQ(tokenizer.TokenBytes(kEos), "<|endoftext|>");
  EXPECT_TRUE(tokenizer.IsSpecial(kEos));
  EXPECT_FALSE(tokenizer.IsSpecial(kThe));
  for (int32_t id : {-1, 260}) {
    EXPECT_EQ(tokenizer.TokenBytes(id), "");
    EXPECT_FALSE(tokenizer.IsSpecial(id));
  }
}

TEST(TokenizerTest, TakesSpecialTokensInATextAsTextUnlessAsked) {
  const Tokenizer tokenizer = SmallTokenizer();
  const std::string text = "the<|endoftext|> the";
  const std::vector<int32_t> plain = tokenizer.Encode(text);
  EXPECT_THAT(plain, ::testing::Not(::testing::Contains(kEos)));
  EXPECT_THAT(tokenizer.Decode(plain), IsOkAndHolds(text));
  EXPECT_THAT(tokenizer.Encode(text, {.parse_special = true}),
              ElementsAre(kThe, kEos, kSpaceThe));
}

TEST(TokenizerTest, ParsesTheLeftmostAndLongestSpecialToken) {
  const Tokenizer tokenizer =
      SmallTokenizer(R"({"<a>":260,"<a><b>":261,"<b><c>":262})");
  const Tokenizer::EncodeOptions special = {.parse_special = true};
  EXPECT_THAT(tokenizer.Encode("<a><b><c>", special),
              ElementsAre(261, ByteId('<'), ByteId('c'), ByteId('>')));
  EXPECT_THAT(tokenizer.Encode("<a><a><b", special),
              ElementsAre(260, 260, ByteId('<'), ByteId('b')));
  EXPECT_THAT(tokenizer.Encode("<<b><c><|endoftext|>", special),
              ElementsAre(ByteId('<'), 262, kEos));
  EXPECT_THAT(tokenizer.Encode("", special), IsEmpty());
}

TEST(TokenizerTest, CutsPiecesOnEitherSideOfASpecialTokenApart) {
  const Tokenizer tokenizer = SmallTokenizer();
  // The blank before it ends a text of its own: nothing is left to a word.
  EXPECT_THAT(tokenizer.Encode("a <|endoftext|>the", {.parse_special = true}),
              ElementsAre(ByteId('a'), ByteId(' '), kEos, kThe));
}

// Everything a StreamDecoder gives out for `ids`; each part must be whole.
std::string Stream(const Tokenizer& tokenizer,
                   const std::vector<int32_t>& ids) {
  StreamDecoder decoder(&tokenizer);
  std::string text;
  for (size_t i = 0; i <= ids.size(); ++i) {
    const std::string part =
        i < ids.size() ? decoder.Push(ids[i]) : decoder.Finish();
    for (absl::string_view rest = part; !rest.empty();) {
      const Utf8Char c = ReadUtf8(rest);
      EXPECT_EQ(c.state, Utf8Char::kWhole) << "half a character was given out";
      rest.remove_prefix(c.length);
    }
    text += part;
  }
  EXPECT_EQ(decoder.Finish(), "") << "Finish() must empty the decoder";
  return text;
}

// The bytes one at a time: the ids of their tokens.
std::vector<int32_t> ByteIds(absl::string_view bytes) {
  std::vector<int32_t> ids;
  for (char c : bytes) ids.push_back(ByteId(c));
  return ids;
}

TEST(StreamDecoderTest, HoldsACharacterBackUntilItIsWhole) {
  const Tokenizer tokenizer = SmallTokenizer();
  StreamDecoder decoder(&tokenizer);
  EXPECT_EQ(decoder.Push(kThe), "the");
  EXPECT_EQ(decoder.Push(ByteId('\xf0')), "");
  EXPECT_EQ(decoder.Push(ByteId('\x9f')), "");
  EXPECT_EQ(decoder.Push(ByteId('\x98')), "");
  EXPECT_EQ(decoder.Push(ByteId('\x80')), "😀");
  EXPECT_EQ(decoder.Push(kSpaceThe), " the");
  EXPECT_EQ(decoder.Finish(), "");
}

TEST(StreamDecoderTest, ReplacesACharacterThatCannotBecomeWholeAtOnce) {
  const Tokenizer tokenizer = SmallTokenizer();
  StreamDecoder decoder(&tokenizer);
  EXPECT_EQ(decoder.Push(ByteId('\xe2')), "");
  EXPECT_EQ(decoder.Push(ByteId('\x82')), "");
  EXPECT_EQ(decoder.Push(kThe), "\ufffdthe");
  EXPECT_EQ(decoder.Push(ByteId('\xff')), "\ufffd");
  EXPECT_EQ(decoder.Push(ByteId('\xc3')), "");
  EXPECT_EQ(decoder.Finish(), "\ufffd");
  EXPECT_EQ(decoder.Push(ByteId('a')), "a");
}

TEST(StreamDecoderTest, IgnoresIdsOutsideTheVocabulary) {
  const Tokenizer tokenizer = SmallTokenizer();
  EXPECT_EQ(Stream(tokenizer, {kThe, -1, 260, kTh}), "theth");
}

TEST(StreamDecoderTest, GivesTheSameTextHoweverTheBytesArrive) {
  const Tokenizer tokenizer = TrainedTokenizer();
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    CounterRng rng(seed);
    const std::string bytes = RandomBytes(rng);
    // The byte tokens of the two vocabularies have the same ids.
    ASSERT_EQ(Stream(tokenizer, tokenizer.Encode(bytes)),
              Stream(tokenizer, ByteIds(bytes)))
        << "seed " << seed;
  }
}

TEST(StreamDecoderTest, LeavesValidTextAsItIs) {
  const Tokenizer tokenizer = TrainedTokenizer();
  const std::string text = "the café 日本語 😀 \u0000 naïve\n";
  EXPECT_EQ(Stream(tokenizer, tokenizer.Encode(text)), text);
  EXPECT_EQ(Stream(tokenizer, ByteIds(text)), text);
}

}  // namespace
}  // namespace alignsae
