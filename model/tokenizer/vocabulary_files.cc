// Contents of vocab.json, merges.txt and added_tokens.json -> Vocabulary.

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/limits.h"
#include "model/tokenizer/load.h"

namespace alignsae {
namespace {

constexpr absl::string_view kVocab = "vocab.json";
constexpr absl::string_view kMerges = "merges.txt";
constexpr absl::string_view kAdded = "added_tokens.json";

absl::StatusOr<nlohmann::json> ParseJsonFile(absl::string_view file,
                                             absl::string_view text) {
  absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (json.ok()) return json;
  return absl::Status(json.status().code(),
                      absl::StrCat(file, ": ", json.status().message()));
}

// A file of names and ids alone; which of them are special, and any switch,
// is in the other files.
absl::StatusOr<std::vector<AddedToken>> ReadAddedTokens(
    absl::string_view text, const TokenizerConfig& config) {
  std::vector<AddedToken> tokens;
  if (text.empty()) return tokens;
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json added,
                            ParseJsonFile(kAdded, text));
  if (!added.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        kAdded, ": must be an object of ids, got ", added.type_name()));
  }
  for (const auto& [content, id_json] : added.items()) {
    const std::optional<int32_t> id = IdFromJson(id_json);
    if (!id.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          kAdded, "[", Quoted(content), "]: must be an id, an integer in [0, ",
          kMaxVocabularySize, "), got ", Excerpt(id_json)));
    }
    const bool special = content == kEndOfText;
    AddedToken token = {
        .content = content, .special = special, .normalized = !special};
    const auto named = config.named.find(content);
    if (named != config.named.end()) token = named->second.token;
    for (const AddedToken& known : config.decoder) {
      if (known.content == content) token = known;
    }
    token.id = *id;
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// A first line "#version..." is a remark and may be missing. Lines end in LF,
// CR LF or with the file; blank lines may only be at the end.
absl::Status AddMerges(absl::string_view text, VocabularyBuilder& builder) {
  const size_t last = text.find_last_not_of("\r\n");
  text = text.substr(0, last == absl::string_view::npos ? 0 : last + 1);
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    absl::string_view line = text.substr(0, end);
    text.remove_prefix(end == absl::string_view::npos ? text.size() : end + 1);
    absl::ConsumeSuffix(&line, "\r");
    if (number == 1 && absl::ConsumePrefix(&line, "#version")) continue;
    ALIGNSAE_RETURN_IF_ERROR(
        builder.AddMergeLine(absl::StrCat(kMerges, " line ", number), line));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Vocabulary> ParseVocabularyFiles(
    absl::string_view vocab_json, absl::string_view merges_txt,
    absl::string_view added_tokens_json, const TokenizerConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<AddedToken> added,
                            ReadAddedTokens(added_tokens_json, config));
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json vocab,
                            ParseJsonFile(kVocab, vocab_json));
  ALIGNSAE_RETURN_IF_ERROR(AddTokensOfConfig(config, vocab, added));
  VocabularyBuilder builder;
  for (AddedToken& token : added) {
    ALIGNSAE_RETURN_IF_ERROR(builder.AddAdded(kAdded, std::move(token)));
  }
  ALIGNSAE_RETURN_IF_ERROR(builder.AddVocab(kVocab, vocab));
  ALIGNSAE_RETURN_IF_ERROR(AddMerges(merges_txt, builder));
  return std::move(builder).Finish();
}

}  // namespace alignsae
