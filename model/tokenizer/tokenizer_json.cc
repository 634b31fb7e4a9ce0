// Contents of tokenizer.json (the Hugging Face tokenizers format) ->
// Vocabulary.
//
// The format describes tokenizers of many kinds. Only what encodes as GPT-2
// does, or as GPT-NeoX (the same behind NFC), is taken; any other value of a
// setting, and any setting that is not known here, is refused by name.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/load.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

struct Setting {
  enum Presence { kOptional, kRequired };
  absl::string_view key;
  Presence presence;
  std::vector<Json> accepted;  // Empty: any value; it does not bear on the ids.
};

absl::Status CheckSetting(const std::string& field, const Json& value,
                          const Setting& setting) {
  if (setting.accepted.empty()) return absl::OkStatus();
  for (const Json& accepted : setting.accepted) {
    if (value == accepted) return absl::OkStatus();
  }
  const std::string choice = absl::StrJoin(
      setting.accepted, " or ", [](std::string* out, const Json& accepted) {
        absl::StrAppend(out, accepted.dump());
      });
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": must be ", choice, ", got ", Excerpt(value)));
}

// Checks every key of `object` against `settings`.
absl::Status CheckSettings(const std::string& field, const Json& object,
                           absl::Span<const Setting> settings) {
  if (!object.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be an object, got ", Excerpt(object)));
  }
  for (const Setting& setting : settings) {
    const auto it = object.find(std::string(setting.key));
    if (it != object.end()) {
      ALIGNSAE_RETURN_IF_ERROR(
          CheckSetting(absl::StrCat(field, ".", setting.key), *it, setting));
    } else if (setting.presence == Setting::kRequired) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, ".", setting.key, ": must be there"));
    }
  }
  for (auto it = object.begin(); it != object.end(); ++it) {
    bool is_known = false;
    for (const Setting& setting : settings) is_known |= it.key() == setting.key;
    if (is_known) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must have settings of GPT-2's tokenizer only, got ",
        Quoted(it.key())));
  }
  return absl::OkStatus();
}

// ByteLevel behind the ids: it trims offsets and joins bytes.
absl::Status CheckByteLevel(const std::string& field, const Json& step) {
  static const std::vector<Setting> settings = {
      {"type", Setting::kRequired, {"ByteLevel"}},
      {"add_prefix_space", Setting::kOptional, {}},
      {"trim_offsets", Setting::kOptional, {}},
      {"use_regex", Setting::kOptional, {}},
  };
  return CheckSettings(field, step, settings);
}

// A template whose `single` is the text itself adds no token. What it does to
// pairs of texts does not matter: there are none.
absl::Status CheckTemplate(const std::string& field, const Json& step) {
  static const std::vector<Setting> settings = {
      {"type", Setting::kRequired, {"TemplateProcessing"}},
      {"single", Setting::kRequired, {}},
      {"pair", Setting::kOptional, {}},
      {"special_tokens", Setting::kOptional, {}},
  };
  ALIGNSAE_RETURN_IF_ERROR(CheckSettings(field, step, settings));
  const Json& single = step["single"];
  if (single.is_array() && single.size() == 1 && single[0].is_object() &&
      single[0].size() == 1 && single[0].contains("Sequence") &&
      single[0]["Sequence"].is_object() &&
      single[0]["Sequence"].value("id", Json()) == "A") {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(field,
                   ".single: must be the text alone, [{\"Sequence\":{\"id\":"
                   "\"A\"}}] (no token is added to a text), got ",
                   Excerpt(single)));
}

// Steps behind the ids that leave them as they are.
absl::Status CheckPostProcessor(const std::string& field, const Json& step) {
  const Json type =
      step.is_object() ? step.value("type", Json()) : Json(nullptr);
  if (type == "TemplateProcessing") return CheckTemplate(field, step);
  if (type != "Sequence") {
    const absl::Status status = CheckByteLevel(field, step);
    if (status.ok() || !type.is_string() || type == "ByteLevel") return status;
    return absl::InvalidArgumentError(
        absl::StrCat(field,
                     ".type: must be \"ByteLevel\", \"TemplateProcessing\" or "
                     "\"Sequence\", got ",
                     Excerpt(type)));
  }
  static const std::vector<Setting> settings = {
      {"type", Setting::kRequired, {"Sequence"}},
      {"processors", Setting::kRequired, {}},
  };
  ALIGNSAE_RETURN_IF_ERROR(CheckSettings(field, step, settings));
  const Json& processors = step["processors"];
  if (!processors.is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ".processors: must be an array, got ", Excerpt(processors)));
  }
  for (size_t i = 0; i < processors.size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(CheckPostProcessor(
        absl::StrCat(field, ".processors[", i, "]"), processors[i]));
  }
  return absl::OkStatus();
}

// What the last caller of the Python class cut and padded to. Its own next call
// sets both anew, and none of it is part of the vocabulary.
absl::Status CheckCallSettings(const std::string& file, const Json& root) {
  for (const char* key : {"truncation", "padding"}) {
    const auto it = root.find(key);
    if (it == root.end() || it->is_null() || it->is_object()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        file, ".", key, ": must be null or an object, got ", Excerpt(*it)));
  }
  return absl::OkStatus();
}

absl::Status CheckParts(const std::string& file, const Json& root) {
  static const std::vector<Setting> top = {
      {"version", Setting::kOptional, {"1.0"}},
      {"truncation", Setting::kOptional, {}},
      {"padding", Setting::kOptional, {}},
      {"added_tokens", Setting::kOptional, {}},
      {"normalizer", Setting::kOptional, {nullptr, {{"type", "NFC"}}}},
      {"pre_tokenizer", Setting::kRequired, {}},
      {"post_processor", Setting::kOptional, {}},
      {"decoder", Setting::kOptional, {}},
      {"model", Setting::kRequired, {}},
  };
  static const std::vector<Setting> pre_tokenizer = {
      {"type", Setting::kRequired, {"ByteLevel"}},
      {"add_prefix_space", Setting::kRequired, {false}},
      {"trim_offsets", Setting::kOptional, {}},
      {"use_regex", Setting::kOptional, {true}},
  };
  static const std::vector<Setting> model = {
      {"type", Setting::kOptional, {"BPE"}},
      {"dropout", Setting::kOptional, {nullptr, 0}},
      {"unk_token", Setting::kOptional, {}},  // Every byte has a token.
      {"fuse_unk", Setting::kOptional, {}},
      {"continuing_subword_prefix", Setting::kOptional, {nullptr, ""}},
      {"end_of_word_suffix", Setting::kOptional, {nullptr, ""}},
      {"byte_fallback", Setting::kOptional, {false}},
      {"ignore_merges", Setting::kOptional, {false}},
      {"vocab", Setting::kRequired, {}},
      {"merges", Setting::kRequired, {}},
  };
  ALIGNSAE_RETURN_IF_ERROR(CheckSettings(file, root, top));
  ALIGNSAE_RETURN_IF_ERROR(CheckSettings(file + ".pre_tokenizer",
                                         root["pre_tokenizer"], pre_tokenizer));
  ALIGNSAE_RETURN_IF_ERROR(CheckCallSettings(file, root));
  const Json post_processor = root.value("post_processor", Json());
  if (!post_processor.is_null()) {
    ALIGNSAE_RETURN_IF_ERROR(
        CheckPostProcessor(file + ".post_processor", post_processor));
  }
  const Json decoder = root.value("decoder", Json());
  if (!decoder.is_null()) {
    ALIGNSAE_RETURN_IF_ERROR(CheckByteLevel(file + ".decoder", decoder));
  }
  return CheckSettings(file + ".model", root["model"], model);
}

absl::StatusOr<std::vector<AddedToken>> AddedTokensOf(const std::string& field,
                                                      const Json& root) {
  std::vector<AddedToken> tokens;
  const auto added = root.find("added_tokens");
  if (added == root.end()) return tokens;
  if (!added->is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be an array, got ", Excerpt(*added)));
  }
  for (size_t i = 0; i < added->size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(AddedToken token,
                              ParseAddedToken(absl::StrCat(field, "[", i, "]"),
                                              (*added)[i], /*with_id=*/true));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// transformers before 4.34 lists an added token that the vocabulary has too,
// and never cuts it out of a text unless it is special; later versions do, also
// when they read its files. Its own ids are what its models were trained on.
// Its files are known by what they lack: a tokenizer_config.json with the added
// tokens (4.34 and later), and `ignore_merges` (5, which has no such list).
// Takes those tokens out of `added` and gives a sentence, empty where there are
// none.
std::string LeaveInWords(const Json& model, const TokenizerConfig& config,
                         std::vector<AddedToken>& added) {
  if (!config.lacks_decoder || model.contains("ignore_merges")) return "";
  const Json& vocab = model["vocab"];
  std::vector<std::string> left;
  added.erase(std::remove_if(added.begin(), added.end(),
                             [&](const AddedToken& token) {
                               if (token.special || !vocab.is_object() ||
                                   !vocab.contains(token.content)) {
                                 return false;
                               }
                               left.push_back(Quoted(token.content));
                               return true;
                             }),
              added.end());
  if (left.empty()) return "";
  constexpr size_t kNamed = 5;
  const size_t count = left.size();
  left.resize(std::min(count, kNamed));
  return absl::StrCat(
      "tokenizer.json: ", count, " added tokens are in the vocabulary too (",
      absl::StrJoin(left, ", "), count > kNamed ? ", ..." : "",
      ") and stay in their words, as in transformers before 4.34, which wrote "
      "the file; later versions cut them out of every text");
}

// A merge is "a b" or ["a", "b"].
absl::Status AddMerges(const std::string& field, const Json& merges,
                       VocabularyBuilder& builder) {
  if (!merges.is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be an array, got ", Excerpt(merges)));
  }
  for (size_t i = 0; i < merges.size(); ++i) {
    const std::string entry = absl::StrCat(field, "[", i, "]");
    const Json& merge = merges[i];
    if (merge.is_string()) {
      ALIGNSAE_RETURN_IF_ERROR(
          builder.AddMergeLine(entry, merge.get_ref<const std::string&>()));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      ALIGNSAE_RETURN_IF_ERROR(
          builder.AddMerge(entry, merge[0].get_ref<const std::string&>(),
                           merge[1].get_ref<const std::string&>()));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(
          entry, ": must be \"a b\" or [\"a\", \"b\"], got ", Excerpt(merge)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Vocabulary> ParseTokenizerJson(absl::string_view text,
                                              const TokenizerConfig& config) {
  const std::string file = "tokenizer.json";
  absl::StatusOr<Json> parsed = ParseJson(text);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", parsed.status().message()));
  }
  const Json& root = *parsed;
  ALIGNSAE_RETURN_IF_ERROR(CheckParts(file, root));
  const Json& vocab = root["model"]["vocab"];
  const std::string field = file + ".added_tokens";
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<AddedToken> added,
                            AddedTokensOf(field, root));
  ALIGNSAE_RETURN_IF_ERROR(AddTokensOfConfig(config, vocab, added));
  const std::string warning = LeaveInWords(root["model"], config, added);
  VocabularyBuilder builder;
  for (AddedToken& token : added) {
    ALIGNSAE_RETURN_IF_ERROR(builder.AddAdded(field, std::move(token)));
  }
  ALIGNSAE_RETURN_IF_ERROR(builder.AddVocab(file + ".model.vocab", vocab));
  ALIGNSAE_RETURN_IF_ERROR(
      AddMerges(file + ".model.merges", root["model"]["merges"], builder));
  ALIGNSAE_ASSIGN_OR_RETURN(Vocabulary vocabulary, std::move(builder).Finish());
  vocabulary.nfc = !root.value("normalizer", Json()).is_null();
  if (!warning.empty()) vocabulary.warnings.push_back(warning);
  return vocabulary;
}

}  // namespace alignsae
