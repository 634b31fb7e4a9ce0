#include "model/tokenizer/added_token_sources.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/limits.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr char kConfig[] = "tokenizer_config.json";
constexpr char kMap[] = "special_tokens_map.json";

absl::Status Refuse(absl::string_view field, absl::string_view rule,
                    const Json& got) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": must be ", rule, ", got ", Excerpt(got)));
}

absl::StatusOr<Json> ParseFile(absl::string_view file, absl::string_view text) {
  if (text.empty()) return Json::object();
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", json.status().message()));
  }
  if (json->is_object()) return json;
  return absl::InvalidArgumentError(
      absl::StrCat(file, ": must be an object, got ", json->type_name()));
}

// What Python's tokenizer would do to a text beyond the vocabulary's files.
absl::Status CheckSwitches(const Json& config) {
  for (const char* key :
       {"add_prefix_space", "add_bos_token", "add_eos_token"}) {
    const auto it = config.find(key);
    if (it == config.end() || *it == false || it->is_null()) continue;
    return Refuse(absl::StrCat(kConfig, ": ", key), "false", *it);
  }
  return absl::OkStatus();
}

absl::Status AddNamed(const std::string& field, const Json& value,
                      TokenizerConfig& config) {
  TokenizerConfig::Named named;
  named.field = field;
  if (value.is_string()) {
    named.token.content = value.get<std::string>();
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(named.token,
                              ParseAddedToken(field, value, /*with_id=*/false));
  }
  named.token.special = true;
  config.named.try_emplace(named.token.content, std::move(named));
  return absl::OkStatus();
}

// The tokens of a list, or of an object's values.
absl::Status AddNamedList(const std::string& field, const Json& list,
                          TokenizerConfig& config) {
  for (const Json& token : list) {
    ALIGNSAE_RETURN_IF_ERROR(AddNamed(field, token, config));
  }
  return absl::OkStatus();
}

// Keys of one of the two files that name tokens.
absl::Status AddNamedOf(absl::string_view file, const Json& root,
                        TokenizerConfig& config) {
  for (const auto& [key, value] : root.items()) {
    const std::string field = absl::StrCat(file, ": ", key);
    const bool is_list =
        key == "additional_special_tokens" || key == "extra_special_tokens";
    if (is_list && value.is_structured()) {
      ALIGNSAE_RETURN_IF_ERROR(AddNamedList(field, value, config));
    } else if (absl::EndsWith(key, "_token") &&
               (value.is_string() || value.is_object())) {
      ALIGNSAE_RETURN_IF_ERROR(AddNamed(field, value, config));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadDecoder(const Json& root, TokenizerConfig& config) {
  const std::string field = absl::StrCat(kConfig, ": added_tokens_decoder");
  const auto decoder = root.find("added_tokens_decoder");
  if (decoder == root.end() || decoder->is_null()) return absl::OkStatus();
  if (!decoder->is_object()) return Refuse(field, "an object", *decoder);
  for (const auto& [key, entry] : decoder->items()) {
    const std::string place = absl::StrCat(field, "[", Quoted(key), "]");
    int32_t id = -1;
    if (!absl::SimpleAtoi(key, &id) || id < 0 || id >= kMaxVocabularySize ||
        absl::StrCat(id) != key) {
      return Refuse(
          place, absl::StrCat("under an id in [0, ", kMaxVocabularySize, ")"),
          entry);
    }
    ALIGNSAE_ASSIGN_OR_RETURN(AddedToken token,
                              ParseAddedToken(place, entry, /*with_id=*/false));
    token.id = id;
    config.decoder.push_back(std::move(token));
  }
  std::sort(
      config.decoder.begin(), config.decoder.end(),
      [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return absl::OkStatus();
}

std::vector<AddedToken>::iterator FindToken(std::vector<AddedToken>& added,
                                            const std::string& content) {
  return std::find_if(added.begin(), added.end(), [&](const AddedToken& token) {
    return token.content == content;
  });
}

// The switches in words, for a message.
std::string InWords(const AddedToken& token) {
  return absl::StrCat(
      "id ", token.id, token.special ? ", special" : "",
      token.single_word ? ", single_word" : "", token.lstrip ? ", lstrip" : "",
      token.rstrip ? ", rstrip" : "", token.normalized ? ", normalized" : "");
}

absl::Status AddDecoder(const TokenizerConfig& config,
                        std::vector<AddedToken>& added) {
  for (const AddedToken& token : config.decoder) {
    const auto known = FindToken(added, token.content);
    if (known == added.end()) {
      added.push_back(token);
    } else if (*known != token) {
      return absl::InvalidArgumentError(absl::StrCat(
          kConfig, ": added_tokens_decoder: must have ", Quoted(token.content),
          " as the vocabulary's files have it (", InWords(*known), "), got ",
          InWords(token)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AddedToken> ParseAddedToken(const std::string& field,
                                           const Json& entry, bool with_id) {
  if (!entry.is_object()) return Refuse(field, "an object", entry);
  AddedToken token;
  const std::pair<const char*, bool*> switches[] = {
      {"special", &token.special},       {"single_word", &token.single_word},
      {"lstrip", &token.lstrip},         {"rstrip", &token.rstrip},
      {"normalized", &token.normalized},
  };
  for (const auto& [key, value] : entry.items()) {
    const auto known =
        std::find_if(std::begin(switches), std::end(switches),
                     [&key = key](const auto& s) { return s.first == key; });
    if (known != std::end(switches)) {
      if (!value.is_boolean()) {
        return Refuse(absl::StrCat(field, ".", key), "true or false", value);
      }
      *known->second = value.get<bool>();
    } else if (key != "content" && key != "__type" &&
               !(with_id && key == "id")) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, ": must have settings of an added token only, got ",
          Quoted(key)));
    }
  }
  const Json content = entry.value("content", Json());
  if (!content.is_string()) {
    return Refuse(absl::StrCat(field, ".content"), "a string", content);
  }
  token.content = content.get<std::string>();
  token.special |= token.content == kEndOfText;
  if (!entry.contains("normalized")) token.normalized = !token.special;
  if (!with_id) return token;
  const Json id_json = entry.value("id", Json());
  const std::optional<int32_t> id = IdFromJson(id_json);
  if (!id.has_value()) {
    return Refuse(absl::StrCat(field, ".id"),
                  absl::StrCat("an integer in [0, ", kMaxVocabularySize, ")"),
                  id_json);
  }
  token.id = *id;
  return token;
}

absl::StatusOr<TokenizerConfig> ParseTokenizerConfig(
    absl::string_view tokenizer_config, absl::string_view special_tokens_map) {
  TokenizerConfig config;
  ALIGNSAE_ASSIGN_OR_RETURN(const Json root,
                            ParseFile(kConfig, tokenizer_config));
  ALIGNSAE_RETURN_IF_ERROR(CheckSwitches(root));
  ALIGNSAE_RETURN_IF_ERROR(AddNamedOf(kConfig, root, config));
  ALIGNSAE_RETURN_IF_ERROR(ReadDecoder(root, config));
  config.lacks_decoder =
      !tokenizer_config.empty() && !root.contains("added_tokens_decoder");
  ALIGNSAE_ASSIGN_OR_RETURN(const Json map,
                            ParseFile(kMap, special_tokens_map));
  ALIGNSAE_RETURN_IF_ERROR(AddNamedOf(kMap, map, config));
  return config;
}

absl::Status AddTokensOfConfig(const TokenizerConfig& config, const Json& vocab,
                               std::vector<AddedToken>& added) {
  ALIGNSAE_RETURN_IF_ERROR(AddDecoder(config, added));
  for (const auto& [content, named] : config.named) {
    if (FindToken(added, content) != added.end()) continue;
    std::optional<int32_t> id;
    if (vocab.is_object() && vocab.contains(content)) {
      id = IdFromJson(vocab[content]);
    }
    if (!id.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(named.field,
                       ": must be a token that one of the files gives an id, "
                       "got ",
                       Quoted(content)));
    }
    AddedToken token = named.token;
    token.id = *id;
    added.push_back(std::move(token));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
