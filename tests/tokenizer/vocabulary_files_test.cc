// Every way in which vocab.json, merges.txt and added_tokens.json can be wrong,
// and the sentence that says so.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/load.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/vocabulary.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

struct BadFiles {
  std::string name;
  std::string vocab;
  std::string merges;
  std::string added;
  std::string message;
};

void ExpectRefused(const std::vector<BadFiles>& rows) {
  for (const BadFiles& row : rows) {
    EXPECT_THAT(Tokenizer::FromFiles(row.vocab, row.merges, row.added),
                StatusIs(absl::StatusCode::kInvalidArgument, row.message))
        << row.name;
  }
}

// SmallVocab() with `name` set to `id`, as JSON text.
std::string VocabWith(const std::string& name, const nlohmann::json& id) {
  nlohmann::json vocab = SmallVocab();
  vocab[name] = id;
  return vocab.dump();
}

std::string VocabWithout(const std::string& name) {
  nlohmann::json vocab = SmallVocab();
  vocab.erase(name);
  return vocab.dump();
}

TEST(VocabularyFilesTest, RefuseAVocabularyThatIsNoObjectOfIds) {
  const std::string rule =
      R"(vocab.json["x y"]: must have characters of the byte alphabet only)";
  const std::string id_rule =
      R"(vocab.json["zz"]: must be an id, an integer in [0, 262144), got )";
  ExpectRefused({
      {"empty", "", "", "",
       "vocab.json: not strict JSON: parse error at line 1, column 1: "
       "syntax error while parsing value - unexpected end of input; expected "
       "'[', '{', or a literal (byte 1)"},
      {"array", "[]", "", "",
       "vocab.json: must be an object of ids, got array"},
      {"number", "7", "", "",
       "vocab.json: must be an object of ids, got number"},
      {"no entries", "{}", "", "",
       "vocab.json: must have a token for each of the 256 bytes, got none for "
       "33, \"!\""},
      {"negative id", VocabWith("zz", -1), "", "", id_rule + "-1"},
      {"id with a fraction", VocabWith("zz", 260.5), "", "", id_rule + "260.5"},
      {"whole float", VocabWith("zz", 260.0), "", "", id_rule + "260.0"},
      {"string id", VocabWith("zz", "260"), "", "", id_rule + "\"260\""},
      {"null id", VocabWith("zz", nullptr), "", "", id_rule + "null"},
      {"bool id", VocabWith("zz", true), "", "", id_rule + "true"},
      {"huge id", VocabWith("zz", 262144), "", "", id_rule + "262144"},
      {"id of 2^63", VocabWith("zz", uint64_t{1} << 63), "", "",
       id_rule + "9223372036854775808"},
      {"id twice", VocabWith("zz", 256), "", "",
       R"(vocab.json["zz"]: must have an id of its own, got 256, the id of )"
       R"("th")"},
      {"gap", VocabWith("zz", 261), "", "",
       "vocab.json: must have the ids 0 to 260 for its 261 tokens, got none "
       "with id 260"},
      {"no token for the space", VocabWithout("\u0120"), "", "",
       "vocab.json: must have the ids 0 to 258 for its 259 tokens, got none "
       "with id 220"},
      {"blank in a name", VocabWith("x y", 260), "", "", rule},
      {"empty name", VocabWith("", 260), "", "",
       R"(vocab.json[""]: must be a token of 1 to 1024 bytes, got 0)"},
      {"10 MB name", VocabWith(std::string(10'000'000, 'x'), 260), "", "",
       absl::StrCat("vocab.json[\"", std::string(64, 'x'),
                    "\"...]: must be a token of 1 to 1024 bytes, got "
                    "10000000")},
  });
}

TEST(VocabularyFilesTest, RefuseAVocabularyWithoutEachOfTheBytes) {
  nlohmann::json vocab = SmallVocab();
  vocab["zz"] = vocab["\u0120"];
  vocab.erase("\u0120");
  ExpectRefused({{"space replaced", vocab.dump(), "", "",
                  "vocab.json: must have a token for each of the 256 bytes, "
                  "got none for 32, \"\u0120\""}});
}

TEST(VocabularyFilesTest, RefuseJsonThatIsNotStrict) {
  std::string twice = SmallVocab().dump();
  twice.insert(1, "\"th\":256,");
  EXPECT_THAT(Tokenizer::FromFiles(twice, "", ""),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("vocab.json: not strict JSON: duplicate key "
                                 "\"th\"")));
  for (const std::string& text :
       {SmallVocab().dump() + "x", "\xef\xbb\xbf" + SmallVocab().dump(),
        std::string(1000, '['), std::string("{\"\xff\":1}"),
        SmallVocab().dump().substr(0, 1000)}) {
    EXPECT_THAT(Tokenizer::FromFiles(text, "", ""),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("vocab.json: not strict JSON: ")));
  }
}

TEST(VocabularyFilesTest, RefuseMergesThatAreNotTwoKnownTokensALine) {
  const std::string v = SmallVocab().dump();
  const std::string two = ": must be two tokens with one space between, got ";
  const std::string alphabet =
      ": must have characters of the byte alphabet only, got ";
  const std::string unknown = ": must merge tokens of the vocabulary, got ";
  ExpectRefused({
      {"one token", v, "th\n", "", "merges.txt line 1" + two + "\"th\""},
      {"three tokens", v, "t h e", "", "merges.txt line 1" + two + "\"t h e\""},
      {"two spaces", v, "t  h", "", "merges.txt line 1" + two + "\"t  h\""},
      {"space first", v, " t h", "", "merges.txt line 1" + two + "\" t h\""},
      {"space last", v, "t h ", "", "merges.txt line 1" + two + "\"t h \""},
      {"blank line inside", v, "#version: 0.2\nt h\n\nth e\n", "",
       "merges.txt line 3" + two + "\"\""},
      {"blank line first", v, "\nt h\n", "",
       "merges.txt line 1" + two + "\"\""},
      {"version line again", v, "#version: 0.2\n#version: 0.2\n", "",
       "merges.txt line 2" + unknown + "\"#version:\""},
      {"tab", v, "t\th", "", "merges.txt line 1" + alphabet + R"("t\th")"},
      {"carriage return inside", v, "t h\rth e\n", "",
       "merges.txt line 1" + alphabet + R"("t h\rth e")"},
      {"NUL", v, std::string("t \0h", 4), "",
       "merges.txt line 1" + alphabet + R"("t \x00h")"},
      {"invalid UTF-8", v, "t h\nth \xff\n", "",
       "merges.txt line 2" + alphabet + R"("th \xff")"},
      {"byte-order mark", v, "\xef\xbb\xbf#version: 0.2\nt h\n", "",
       "merges.txt line 1" + alphabet + R"("\xef\xbb\xbf#version: 0.2")"},
      {"unknown token", v, "t h\nth en\n", "",
       "merges.txt line 2" + unknown + "\"en\""},
      {"unknown result", v, "h t\n", "",
       "merges.txt line 1: must make a token of the vocabulary, got \"ht\""},
      {"twice", v, "t h\nth e\nt h\n", "",
       "merges.txt line 3: must be there once, got \"t\" and \"h\" again"},
      {"reversed order", v, "\u0120 the\nth e\nt h\n", "",
       "merges.txt line 1: must merge bytes or results of earlier merges, got "
       "\"the\""},
      {"a special token as a part", v, "<|endoftext|> t\n", "",
       "merges.txt line 1: must merge bytes or results of earlier merges, got "
       "\"<|endoftext|>\""},
  });
}

TEST(VocabularyFilesTest, RefuseTenMillionMergesAtTheFirstOneTooMany) {
  std::string merges;
  for (int i = 0; i < 10'000'000; ++i) merges += "t h\n";
  ExpectRefused(
      {{"10^7 lines", SmallVocab().dump(), merges, "",
        "merges.txt line 2: must be there once, got \"t\" and \"h\" again"}});
}

TEST(VocabularyFilesTest, RefuseAddedTokensThatContradictTheVocabulary) {
  const std::string v = SmallVocab().dump();
  const std::string id_rule = "must be an id, an integer in [0, 262144), got ";
  ExpectRefused({
      {"array", v, "", "[]",
       "added_tokens.json: must be an object of ids, got array"},
      {"negative id", v, "", R"({"<x>":-1})",
       R"(added_tokens.json["<x>"]: )" + id_rule + "-1"},
      {"string id", v, "", R"({"<x>":"260"})",
       R"(added_tokens.json["<x>"]: )" + id_rule + "\"260\""},
      {"id in use", v, "", R"({"<x>":3})",
       R"(vocab.json["$"]: must have an id of its own, got 3, the id of "<x>")"},
      {"two of one id", v, "", R"({"<x>":260,"<y>":260})",
       R"(added_tokens.json["<y>"]: must have an id of its own, got 260, the )"
       R"(id of "<x>")"},
      {"other id than in the vocabulary", v, "", R"({"<|endoftext|>":260})",
       R"(vocab.json["<|endoftext|>"]: must be 260 as for the added token, )"
       "got 259"},
      {"gap", v, "", R"({"<x>":300})",
       "vocab.json: must have the ids 0 to 260 for its 261 tokens, got none "
       "with id 260"},
      {"empty name", v, "", R"({"":260})",
       R"(added_tokens.json[""]: must be a token of 1 to 1024 bytes, got 0)"},
      // Literally a letter with a dot, and by the byte alphabet a blank.
      {"the token of other bytes", v, "", "{\"\u0120the\":258}",
       "vocab.json[\"\u0120the\"]: must not be an added token and the token of "
       "other bytes"},
  });
  EXPECT_THAT(Tokenizer::FromFiles(v, "", "{"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("added_tokens.json: not strict JSON: ")));
}

TEST(VocabularyFilesTest, TakeMergesWithAnyLineEndAndWithoutTheVersionLine) {
  ASSERT_OK_AND_ASSIGN(
      const Vocabulary expected,
      ParseVocabularyFiles(SmallVocab().dump(), kSmallMerges, ""));
  ASSERT_THAT(expected.merges, SizeIs(3));
  for (const char* merges :
       {"t h\nth e\n\u0120 the\n", "t h\nth e\n\u0120 the",
        "#version: 0.2\r\nt h\r\nth e\r\n\u0120 the\r\n",
        "#version: 0.2\nt h\r\nth e\n\u0120 the\n\n\r\n\n"}) {
    ASSERT_OK_AND_ASSIGN(const Vocabulary got,
                         ParseVocabularyFiles(SmallVocab().dump(), merges, ""));
    EXPECT_EQ(got.merges, expected.merges) << merges;
  }
}

TEST(VocabularyFilesTest, TakeAVocabularyWithoutMerges) {
  for (const char* merges : {"", "\n", "#version: 0.2", "#version: 0.2\n"}) {
    ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer,
                         Tokenizer::FromFiles(SmallVocab().dump(), merges, ""));
    EXPECT_THAT(tokenizer.Encode("th"), ElementsAre(ByteId('t'), ByteId('h')));
  }
}

TEST(VocabularyFilesTest, TakeAVocabularyWithoutEndOfText) {
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(VocabWithout("<|endoftext|>"), kSmallMerges, ""));
  EXPECT_EQ(tokenizer.vocab_size(), 259);
  EXPECT_EQ(tokenizer.eos_token_id(), -1);
}

TEST(VocabularyFilesTest, TakeEndOfTextFromTheAddedTokens) {
  ASSERT_OK_AND_ASSIGN(
      const Tokenizer tokenizer,
      Tokenizer::FromFiles(VocabWithout("<|endoftext|>"), kSmallMerges,
                           R"({"<|endoftext|>":259,"a b":260})"));
  EXPECT_EQ(tokenizer.vocab_size(), 261);
  EXPECT_EQ(tokenizer.eos_token_id(), 259);
  EXPECT_EQ(tokenizer.TokenBytes(260), "a b");
}

TEST(VocabularyFilesTest, TakeAnAddedTokenThatTheVocabularyHasToo) {
  // Its name is literal text, though the space has no place in the alphabet.
  ASSERT_OK_AND_ASSIGN(const Tokenizer tokenizer,
                       Tokenizer::FromFiles(VocabWith("a b", 260), kSmallMerges,
                                            R"({"a b":260})"));
  EXPECT_THAT(tokenizer.Encode("a b"), testing::ElementsAre(260));
  EXPECT_EQ(tokenizer.TokenBytes(260), "a b");
}

}  // namespace
}  // namespace alignsae
