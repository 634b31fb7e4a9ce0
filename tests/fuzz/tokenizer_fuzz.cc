// libFuzzer target: the tokenizer's files may hold any bytes, and whatever it
// loads encodes any bytes so that they decode again.
//
// Input: one byte that chooses the door, then the text or the files, divided by
// 0x1e. The first "@" (with its quotes) in a file stands for a small
// vocabulary, which no mutation would find.
//   0 text for a fixed tokenizer
//   1 vocab.json, merges.txt, added_tokens.json
//   2 tokenizer.json

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/bpe_trainer.h"
#include "model/tokenizer/load.h"
#include "model/tokenizer/tokenizer.h"
#include "model/tokenizer/utf8.h"
#include "model/tokenizer/vocabulary.h"

namespace {

using alignsae::Tokenizer;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Has tokens that are parts of characters, and merges of several levels: "h e"
// and "t he" are the first, as the seeds of the corpus want it.
const alignsae::BpeVocabulary& SmallFiles() {
  static const alignsae::BpeVocabulary files = [] {
    const std::vector<std::string> corpus(
        4, "the the then the the 日本 é😀😃 aaaaaaaa    \n\n 's 've 123 <|x|>");
    return *alignsae::TrainBpe(corpus, {.vocab_size = 280});
  }();
  return files;
}

void RequireWholeCharacters(absl::string_view text) {
  while (!text.empty()) {
    const alignsae::Utf8Char c = alignsae::ReadUtf8(text);
    Require(c.state == alignsae::Utf8Char::kWhole);
    text.remove_prefix(c.length);
  }
}

void RequireRoundTrip(const Tokenizer& tokenizer, absl::string_view text) {
  for (bool parse_special : {false, true}) {
    const std::vector<int32_t> ids =
        tokenizer.Encode(text, {.parse_special = parse_special});
    const absl::StatusOr<std::string> back = tokenizer.Decode(ids);
    Require(back.ok() && *back == text);
    alignsae::StreamDecoder decoder(&tokenizer);
    for (int32_t id : ids) {
      Require(parse_special || !tokenizer.IsSpecial(id));
      RequireWholeCharacters(decoder.Push(id));
    }
    RequireWholeCharacters(decoder.Finish());
  }
}

std::string WithVocabulary(absl::string_view file) {
  const size_t at = file.find("\"@\"");
  if (at == absl::string_view::npos) return std::string(file);
  return absl::StrCat(file.substr(0, at), SmallFiles().vocab_json,
                      file.substr(at + 3));
}

void RequireSound(const alignsae::Vocabulary& vocabulary) {
  const std::vector<std::string>& tokens = vocabulary.tokens;
  Require(tokens.size() >= 256 &&
          tokens.size() == vocabulary.is_special.size());
  for (const alignsae::Merge& merge : vocabulary.merges) {
    Require(tokens.at(merge.result) ==
            tokens.at(merge.left) + tokens.at(merge.right));
    Require(!vocabulary.is_special[merge.result]);
  }
}

void CheckText(absl::string_view text) {
  static const auto& tokenizer = *new absl::StatusOr<Tokenizer>(
      Tokenizer::FromFiles(SmallFiles().vocab_json, SmallFiles().merges_txt,
                           R"({"<|x|>":280})"));
  RequireRoundTrip(*tokenizer, text);
}

void CheckFiles(absl::string_view input) {
  std::vector<absl::string_view> parts = absl::StrSplit(input, '\x1e');
  parts.resize(3);
  const std::string vocab = WithVocabulary(parts[0]);
  const absl::StatusOr<Tokenizer> tokenizer =
      Tokenizer::FromFiles(vocab, parts[1], parts[2]);
  if (tokenizer.ok()) {
    RequireSound(*alignsae::ParseVocabularyFiles(vocab, parts[1], parts[2]));
    RequireRoundTrip(*tokenizer, input);
  } else {
    Require(!tokenizer.status().message().empty());
  }
}

void CheckTokenizerJson(absl::string_view input) {
  const absl::StatusOr<alignsae::Vocabulary> vocabulary =
      alignsae::ParseTokenizerJson(WithVocabulary(input));
  if (vocabulary.ok()) {
    RequireSound(*vocabulary);
  } else {
    Require(!vocabulary.status().message().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data) + 1,
                                size - 1);
  switch (data[0] % 3) {
    case 0:
      CheckText(input);
      break;
    case 1:
      CheckFiles(input);
      break;
    default:
      CheckTokenizerJson(input);
  }
  return 0;
}
