// What added tokens do in a text, as Hugging Face's tokenizers define it, and
// special tokens of a prompt template.

#include "model/tokenizer/added_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/tokenizer/prompt_template.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"
#include "tests/tokenizer/small_tokenizer.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using Json = nlohmann::json;

TEST(AddedTokensTest, CutsAddedTokensThatAreNotSpecialOutOfEveryText) {
  const Tokenizer tokenizer = SmallTokenizer(R"({"\n":260,"<e>":261})");
  for (const bool parse_special : {false, true}) {
    EXPECT_THAT(
        tokenizer.Encode("a\nthe<e> the", {.parse_special = parse_special}),
        ElementsAre(ByteId('a'), 260, kThe, 261, kSpaceThe));
  }
}

// The tokens that `added` has, and a text's ids with them.
std::vector<int32_t> EncodeWith(const Json& added, absl::string_view text,
                                bool parse_special = false) {
  Json json = {
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"added_tokens", added},
      {"model",
       {{"vocab", SmallVocab()}, {"merges", {"t h", "th e", "\u0120 the"}}}}};
  const std::string directory =
      absl::StrCat(::testing::TempDir(), "/tokenizer_test");
  std::filesystem::create_directories(directory);
  EXPECT_OK(WriteFileAtomically(directory + "/tokenizer.json", json.dump()));
  const absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(directory);
  EXPECT_OK(tokenizer);
  return tokenizer.ok()
             ? tokenizer->Encode(text, {.parse_special = parse_special})
             : std::vector<int32_t>();
}

Json Added(const char* content, Json changes = Json::object()) {
  Json token = {{"id", 260}, {"content", content}};
  token.update(changes);
  return Json::array({token});
}

TEST(AddedTokensTest, AddedTokensTakeTheBlanksThatTheyAskFor) {
  const int a = ByteId('a'), blank = ByteId(' ');
  const std::string text = "a \u2003<e> \n a";
  EXPECT_THAT(
      EncodeWith(Added("<e>", {{"lstrip", true}, {"rstrip", true}}), text),
      ElementsAre(a, 260, a));
  EXPECT_THAT(EncodeWith(Added("<e>", {{"lstrip", true}}), "a <e> a"),
              ElementsAre(a, 260, blank, a));
  EXPECT_THAT(EncodeWith(Added("<e>", {{"rstrip", true}}), "a <e> a"),
              ElementsAre(a, blank, 260, a));
  // The second takes none of the blanks that the first has.
  EXPECT_THAT(EncodeWith(Added("<e>", {{"lstrip", true}, {"rstrip", true}}),
                         "<e>  <e>"),
              ElementsAre(260, 260));
}

TEST(AddedTokensTest, SingleWordsStandAlone) {
  const Json token =
      Added("e", {{"single_word", true}, {"id", 260}, {"content", "e\u0301"}});
  EXPECT_THAT(EncodeWith(token, "e\u0301"), ElementsAre(260));
  EXPECT_THAT(EncodeWith(token, "-e\u0301.").size(), 3u);
  for (const char* beside : {"a", "9", "_", "\u0301", "\u4e2d"}) {
    for (const std::string& text :
         {absl::StrCat(beside, "e\u0301"), absl::StrCat("e\u0301", beside)}) {
      EXPECT_THAT(EncodeWith(token, text),
                  ::testing::Not(::testing::Contains(260)))
          << text;
    }
  }
}

TEST(AddedTokensTest, LooksForTokensThatAreNotNormalizedFirst) {
  Json added = Added("b>", {{"normalized", false}});
  added.push_back({{"id", 261}, {"content", "<b>"}, {"normalized", true}});
  EXPECT_THAT(EncodeWith(added, "<b><b"),
              ElementsAre(ByteId('<'), 260, ByteId('<'), ByteId('b')));
  added[0]["normalized"] = true;
  EXPECT_THAT(EncodeWith(added, "<b>"), ElementsAre(261));
}

TEST(AddedTokensTest, ASpecialTokenThatIsNotTakenStillHidesWhatItCovers) {
  Json added = Added("<s>", {{"special", true}});
  added.push_back(
      {{"id", ByteId('s')}, {"content", "s"}, {"normalized", false}});
  EXPECT_THAT(EncodeWith(added, "<s>s"),
              ElementsAre(ByteId('<'), ByteId('s'), ByteId('>'), ByteId('s')));
  EXPECT_THAT(EncodeWith(added, "<s>s", /*parse_special=*/true),
              ElementsAre(260, ByteId('s')));
}

// A word of the vocabulary may be an added token too: found by merges and cut
// out of longer words.
TEST(AddedTokensTest, AWordOfTheVocabularyMayBeAnAddedToken) {
  const Json word = Json::array({{{"id", kThe}, {"content", "the"}}});
  EXPECT_THAT(EncodeWith(word, "bathe the"),
              ElementsAre(ByteId('b'), ByteId('a'), kThe, ByteId(' '), kThe));
}

TEST(AddedTokensTest, TellsWhereTokensBegin) {
  const Tokenizer tokenizer = SmallTokenizer(R"({"<e>":260})");
  std::vector<size_t> begins;
  for (const auto& token : tokenizer.EncodeWithOffsets(" the<e>the", {})) {
    begins.push_back(token.begin);
  }
  EXPECT_THAT(begins, ElementsAre(0, 4, 7));
}

TEST(AddedTokensTest, ASpecialTokenOfTheTemplateIsOneAndOfTheQuestionIsText) {
  const Tokenizer tokenizer = SmallTokenizer();
  const FilledTemplate prompt =
      FillTemplate("<|endoftext|>{question}<|endoftext|>", "<|endoftext|>the");
  EXPECT_EQ(prompt.text, "<|endoftext|><|endoftext|>the<|endoftext|>");
  const std::vector<int32_t> ids =
      tokenizer.Encode(prompt.text, {.special_in = prompt.of_template});
  std::vector<int32_t> expected = tokenizer.Encode("<|endoftext|>the");
  EXPECT_THAT(expected, ::testing::Not(::testing::Contains(kEos)));
  expected.insert(expected.begin(), kEos);
  expected.push_back(kEos);
  EXPECT_EQ(ids, expected);
}

// A token that template and question make together is the question's text.
TEST(AddedTokensTest, AQuestionCannotFinishATokenOfTheTemplate) {
  const Tokenizer tokenizer = SmallTokenizer();
  for (const auto& [pattern, question] :
       {std::pair("<|endof{question}", "text|>"),
        std::pair("{question}text|><|endoftext|>", "<|endof")}) {
    const FilledTemplate prompt = FillTemplate(pattern, question);
    const std::vector<int32_t> ids =
        tokenizer.Encode(prompt.text, {.special_in = prompt.of_template});
    EXPECT_EQ(std::count(ids.begin(), ids.end(), kEos),
              absl::StrContains(pattern, "<|endoftext|>") ? 1 : 0)
        << pattern;
    EXPECT_THAT(tokenizer.Decode(ids), IsOkAndHolds(prompt.text));
  }
}

}  // namespace
}  // namespace alignsae
