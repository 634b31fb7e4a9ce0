#include "model/tokenizer/bpe_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/counter_rng.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/tokenizer/load.h"
#include "tests/support/status_matchers.h"
#include "tests/tokenizer/byte_vocabulary.h"

namespace alignsae {
namespace {

// A vocabulary of `merges` ("left right", in the byte alphabet) by rank.
Vocabulary VocabularyOf(const std::vector<std::string>& merges) {
  nlohmann::json vocab = SmallVocab();
  for (const std::string& merge : merges) {
    std::string token = merge;
    token.erase(token.find(' '), 1);
    if (!vocab.contains(token)) vocab[token] = vocab.size();
  }
  absl::StatusOr<Vocabulary> vocabulary =
      ParseVocabularyFiles(vocab.dump(), absl::StrJoin(merges, "\n"), "");
  EXPECT_OK(vocabulary);
  return vocabulary.value_or(Vocabulary());
}

// Tokens of `piece`, joined by '|'.
std::string Split(const Vocabulary& vocabulary, absl::string_view piece) {
  BpeModel::Scratch scratch;
  std::vector<int32_t> ids;
  BpeModel(vocabulary).EncodePiece(piece, scratch, ids);
  return absl::StrJoin(ids, "|", [&](std::string* out, int32_t id) {
    out->append(vocabulary.tokens[id]);
  });
}

// What EncodePiece promises, by looking at every pair for every merge.
std::vector<int32_t> EncodeSlowly(const Vocabulary& vocabulary,
                                  absl::string_view piece) {
  std::vector<int32_t> ids;
  for (char c : piece) ids.push_back(ByteId(c));
  while (true) {
    size_t best = vocabulary.merges.size();
    size_t best_at = 0;
    for (size_t at = 0; at + 1 < ids.size(); ++at) {
      for (size_t rank = 0; rank < best; ++rank) {
        const Merge& merge = vocabulary.merges[rank];
        if (merge.left == ids[at] && merge.right == ids[at + 1]) {
          best = rank;
          best_at = at;
        }
      }
    }
    if (best == vocabulary.merges.size()) return ids;
    ids[best_at] = vocabulary.merges[best].result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(best_at) + 1);
  }
}

TEST(BpeModelTest, MergesTheLowestRankFirst) {
  EXPECT_EQ(Split(VocabularyOf({"b c", "a b"}), "abc"), "a|bc");
  EXPECT_EQ(Split(VocabularyOf({"a b", "b c"}), "abc"), "ab|c");
  EXPECT_EQ(Split(VocabularyOf({"a b", "c d", "ab cd"}), "abcdab"), "abcd|ab");
}

TEST(BpeModelTest, MergesTheLeftmostOfOverlappingPairs) {
  EXPECT_EQ(Split(VocabularyOf({"a a"}), "aaaaa"), "aa|aa|a");
  EXPECT_EQ(Split(VocabularyOf({"a a", "aa a"}), "aaaaa"), "aa|aaa");
}

TEST(BpeModelTest, EncodesNothingAndSingleBytes) {
  const Vocabulary vocabulary = VocabularyOf({"a b"});
  EXPECT_EQ(Split(vocabulary, ""), "");
  EXPECT_EQ(Split(vocabulary, "b"), "b");
  EXPECT_EQ(Split(vocabulary, "\xff"), "\xff");
}

TEST(BpeModelTest, AgreesWithTheSlowDefinitionOnRandomVocabularies) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    CounterRng rng(seed);
    // Random merges: unlike trained ones, some make the same token twice.
    std::vector<std::string> tokens = {"a", "b", "c"};
    std::vector<std::string> merges;
    while (merges.size() < 12) {
      const std::string left = tokens[rng.NextBelow(tokens.size())];
      const std::string right = tokens[rng.NextBelow(tokens.size())];
      const std::string merge = absl::StrCat(left, " ", right);
      if (std::count(merges.begin(), merges.end(), merge) > 0) continue;
      merges.push_back(merge);
      tokens.push_back(left + right);
    }
    const Vocabulary vocabulary = VocabularyOf(merges);
    const BpeModel model(vocabulary);
    BpeModel::Scratch scratch;
    for (int i = 0; i < 30; ++i) {
      std::string piece;
      for (uint64_t n = rng.NextBelow(40); n > 0; --n) {
        piece.push_back("abc"[rng.NextBelow(3)]);
      }
      std::vector<int32_t> ids;
      model.EncodePiece(piece, scratch, ids);
      ASSERT_EQ(ids, EncodeSlowly(vocabulary, piece))
          << "seed " << seed << " piece " << piece;
    }
  }
}

// Steps for `unit` repeated to `bytes` bytes as a single piece.
int64_t StepsFor(const BpeModel& model, absl::string_view unit, size_t bytes) {
  std::string piece;
  while (piece.size() < bytes) absl::StrAppend(&piece, unit);
  BpeModel::Scratch scratch;
  std::vector<int32_t> ids;
  model.EncodePiece(piece, scratch, ids);
  return scratch.steps();
}

TEST(BpeModelTest, WorkGrowsWithTheTextAndNotWithItsSquare) {
  // Each of these runs has merges of its own, up to long tokens.
  const std::vector<std::string> units = {"a",    " ", "abcab", "e\u0301",
                                          "\xff", "😀", "\r\n"};
  std::vector<std::string> corpus;
  for (const std::string& unit : units) {
    for (int copies : {3, 8, 64}) {
      for (int again = 0; again < 2; ++again) {
        std::string text;
        for (int i = 0; i < copies; ++i) text += unit;
        corpus.push_back(text);
      }
    }
  }
  ASSERT_OK_AND_ASSIGN(const BpeVocabulary files,
                       TrainBpe(corpus, {.vocab_size = 512}));
  ASSERT_OK_AND_ASSIGN(
      const Vocabulary vocabulary,
      ParseVocabularyFiles(files.vocab_json, files.merges_txt, ""));
  const BpeModel model(vocabulary);
  for (const std::string& unit : units) {
    const int64_t small = StepsFor(model, unit, 64 << 10);
    const int64_t large = StepsFor(model, unit, 1 << 20);
    EXPECT_GT(small, 0) << unit;
    EXPECT_LT(large, 17 * small) << unit;  // 16 times the text.
    // Every merge adds at most two candidates to one per byte.
    EXPECT_LT(large, 3 << 20) << unit;
  }
}

}  // namespace
}  // namespace alignsae
