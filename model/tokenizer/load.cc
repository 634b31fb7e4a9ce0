#include "model/tokenizer/load.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
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

// What the Python tokenizers would do beyond the vocabulary's files.
absl::Status CheckTokenizerConfig(absl::string_view text) {
  absl::StatusOr<nlohmann::json> config = ParseJson(text);
  if (!config.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tokenizer_config.json: ", config.status().message()));
  }
  if (!config->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tokenizer_config.json: must be an object, got ", config->type_name()));
  }
  for (const char* key :
       {"add_prefix_space", "add_bos_token", "add_eos_token"}) {
    const auto it = config->find(key);
    if (it == config->end() || *it == false || it->is_null()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("tokenizer_config.json: ", key, ": must be false, got ",
                     it->dump().substr(0, 64)));
  }
  return absl::OkStatus();
}

// The added tokens that tokenizer_config.json lists: without them in the other
// files a text that holds one would get other ids than in Python.
absl::Status CheckAddedTokens(absl::string_view text,
                              const Vocabulary& vocabulary) {
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json config, ParseJson(text));
  const std::string field = "tokenizer_config.json: added_tokens_decoder";
  const auto added = config.find("added_tokens_decoder");
  if (added == config.end() || added->is_null()) return absl::OkStatus();
  if (!added->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be an object, got ", added->type_name()));
  }
  for (const auto& [key, entry] : added->items()) {
    int32_t id = -1;
    const nlohmann::json content =
        entry.is_object() ? entry.value("content", nlohmann::json()) : entry;
    const bool known = absl::SimpleAtoi(key, &id) && id >= 0 &&
                       static_cast<size_t>(id) < vocabulary.tokens.size() &&
                       content.is_string() && vocabulary.is_special[id] &&
                       vocabulary.tokens[id] == content.get<std::string>();
    if (known) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must list added tokens of the vocabulary's files only, got ",
        Quoted(key), ": ", content.dump().substr(0, 64)));
  }
  return absl::OkStatus();
}

std::string TokenInWords(const Vocabulary& vocabulary, size_t id) {
  if (id >= vocabulary.tokens.size()) return "none";
  return absl::StrCat(vocabulary.is_special[id] ? "added token " : "",
                      Quoted(SymbolsFromBytes(vocabulary.tokens[id])));
}

// tokenizer.json may have more added tokens than the other files, nothing else.
absl::Status CheckAgreement(const Vocabulary& json, const Vocabulary& files) {
  const size_t count = std::max(json.tokens.size(), files.tokens.size());
  for (size_t id = 0; id < count; ++id) {
    const bool in_json = id < json.tokens.size();
    const bool in_files = id < files.tokens.size();
    const bool agrees =
        in_json && (in_files ? json.tokens[id] == files.tokens[id] &&
                                   json.is_special[id] >= files.is_special[id]
                             : json.is_special[id]);
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

absl::StatusOr<Vocabulary> LoadVocabularyFiles(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string vocab,
                            ReadPart(directory, "vocab.json", false));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string merges,
                            ReadPart(directory, "merges.txt", false));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string added,
                            ReadPart(directory, "added_tokens.json", true));
  return ParseVocabularyFiles(vocab, merges, added);
}

absl::StatusOr<Vocabulary> LoadTokens(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadPart(directory, "tokenizer.json", true));
  if (text.empty()) return LoadVocabularyFiles(directory);
  ALIGNSAE_ASSIGN_OR_RETURN(Vocabulary vocabulary, ParseTokenizerJson(text));
  if (FileExists(absl::StrCat(directory, "/vocab.json")) &&
      FileExists(absl::StrCat(directory, "/merges.txt"))) {
    ALIGNSAE_ASSIGN_OR_RETURN(const Vocabulary files,
                              LoadVocabularyFiles(directory));
    ALIGNSAE_RETURN_IF_ERROR(CheckAgreement(vocabulary, files));
  }
  return vocabulary;
}

absl::StatusOr<Vocabulary> LoadAny(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string config,
                            ReadPart(directory, "tokenizer_config.json", true));
  if (!config.empty()) ALIGNSAE_RETURN_IF_ERROR(CheckTokenizerConfig(config));
  ALIGNSAE_ASSIGN_OR_RETURN(Vocabulary vocabulary, LoadTokens(directory));
  if (!config.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(CheckAddedTokens(config, vocabulary));
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
