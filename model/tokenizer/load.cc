#include "model/tokenizer/load.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/byte_alphabet.h"

namespace alignsae {
namespace {

// Contents of a file of the directory; "" where it is optional and not there.
absl::StatusOr<std::string> ReadPart(const std::string& directory,
                                     absl::string_view name, bool optional) {
  const std::string path = absl::StrCat(directory, "/", name);
  absl::StatusOr<std::string> text = ReadFile(path);
  if (optional && absl::IsNotFound(text.status())) return std::string();
  if (optional && text.ok() && text->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": must not be empty"));
  }
  return text;
}

// Every message names the directory too: several models may be at hand.
absl::Status InDirectory(const std::string& directory, absl::Status status) {
  if (status.ok() || !absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(
      absl::StrCat(directory, ": ", status.message()));
}

bool IsAdded(const Vocabulary& vocabulary, size_t id) {
  return std::any_of(vocabulary.added.begin(), vocabulary.added.end(),
                     [id](const AddedToken& token) {
                       return static_cast<size_t>(token.id) == id;
                     });
}

std::string TokenInWords(const Vocabulary& vocabulary, size_t id) {
  if (id >= vocabulary.tokens.size()) return "none";
  return absl::StrCat(IsAdded(vocabulary, id) ? "added token " : "",
                      Quoted(SymbolsFromBytes(vocabulary.tokens[id])));
}

// tokenizer.json may have more added tokens than the other files, nothing else.
absl::Status CheckAgreement(const Vocabulary& json, const Vocabulary& files) {
  const size_t count = std::max(json.tokens.size(), files.tokens.size());
  for (size_t id = 0; id < count; ++id) {
    const bool in_json = id < json.tokens.size();
    const bool in_files = id < files.tokens.size();
    const bool agrees =
        in_json &&
        (in_files ? json.tokens[id] == files.tokens[id] &&
                        json.is_special[id] >= files.is_special[id] &&
                        IsAdded(json, id) >= IsAdded(files, id)
                  : IsAdded(json, id));
    if (agrees) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("tokenizer.json: must have the tokens of vocab.json and "
                     "added_tokens.json, got ",
                     TokenInWords(json, id), " for id ", id, " and there ",
                     TokenInWords(files, id)));
  }
  if (json.merges == files.merges) return absl::OkStatus();
  const auto [in_json, in_files] =
      std::mismatch(json.merges.begin(), json.merges.end(),
                    files.merges.begin(), files.merges.end());
  return absl::InvalidArgumentError(absl::StrCat(
      "tokenizer.json: must have the merges of merges.txt, got another one at "
      "rank ",
      in_json - json.merges.begin(), " (", json.merges.size(), " and ",
      files.merges.size(), " merges)"));
}

absl::StatusOr<Vocabulary> LoadVocabularyFiles(const std::string& directory,
                                               const TokenizerConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string vocab,
                            ReadPart(directory, "vocab.json", false));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string merges,
                            ReadPart(directory, "merges.txt", false));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string added,
                            ReadPart(directory, "added_tokens.json", true));
  return ParseVocabularyFiles(vocab, merges, added, config);
}

absl::StatusOr<Vocabulary> LoadAny(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string config_text,
                            ReadPart(directory, "tokenizer_config.json", true));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string map_text,
      ReadPart(directory, "special_tokens_map.json", true));
  ALIGNSAE_ASSIGN_OR_RETURN(const TokenizerConfig config,
                            ParseTokenizerConfig(config_text, map_text));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadPart(directory, "tokenizer.json", true));
  if (text.empty()) return LoadVocabularyFiles(directory, config);
  ALIGNSAE_ASSIGN_OR_RETURN(Vocabulary vocabulary,
                            ParseTokenizerJson(text, config));
  if (FileExists(absl::StrCat(directory, "/vocab.json")) &&
      FileExists(absl::StrCat(directory, "/merges.txt"))) {
    // Without the config: what it adds, it adds to tokenizer.json.
    ALIGNSAE_ASSIGN_OR_RETURN(const Vocabulary files,
                              LoadVocabularyFiles(directory, {}));
    ALIGNSAE_RETURN_IF_ERROR(CheckAgreement(vocabulary, files));
  }
  return vocabulary;
}

}  // namespace

absl::StatusOr<Vocabulary> LoadVocabulary(const std::string& directory) {
  absl::StatusOr<Vocabulary> vocabulary = LoadAny(directory);
  if (vocabulary.ok()) return vocabulary;
  return InDirectory(directory, vocabulary.status());
}

}  // namespace alignsae
