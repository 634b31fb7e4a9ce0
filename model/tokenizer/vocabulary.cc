#include "model/tokenizer/vocabulary.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/limits.h"

namespace alignsae {
namespace {

std::string Entry(absl::string_view field, absl::string_view name) {
  return absl::StrCat(field, "[", Quoted(name), "]");
}

absl::Status IdError(absl::string_view entry, const nlohmann::json& id) {
  return absl::InvalidArgumentError(
      absl::StrCat(entry, ": must be an id, an integer in [0, ",
                   kMaxVocabularySize, "), got ", Excerpt(id)));
}

absl::Status CheckTokenLength(absl::string_view entry, size_t bytes) {
  if (bytes >= 1 && bytes <= kMaxTokenBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(entry, ": must be a token of 1 to ", kMaxTokenBytes,
                   " bytes, got ", bytes));
}

}  // namespace

std::string Excerpt(const nlohmann::json& value) {
  return value.dump().substr(0, 64);
}

std::optional<int32_t> IdFromJson(const nlohmann::json& json) {
  if (!json.is_number_unsigned()) return std::nullopt;
  const uint64_t id = json.get<uint64_t>();
  if (id >= kMaxVocabularySize) return std::nullopt;
  return static_cast<int32_t>(id);
}

absl::Status VocabularyBuilder::AddToken(absl::string_view entry, int32_t id,
                                         Token token) {
  ALIGNSAE_RETURN_IF_ERROR(CheckTokenLength(entry, token.bytes.size()));
  ids_.emplace(token.name, id);
  const auto [it, is_new] = tokens_.try_emplace(id, std::move(token));
  if (is_new) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(entry, ": must have an id of its own, got ", id,
                   ", the id of ", Quoted(it->second.name)));
}

absl::Status VocabularyBuilder::AddAdded(absl::string_view field,
                                         AddedToken token) {
  const std::string entry = Entry(field, token.content);
  if (ids_.contains(token.content)) {
    return absl::InvalidArgumentError(
        absl::StrCat(entry, ": must be there once, got a second one"));
  }
  // Special in every file of GPT-2's, whether it says so or not.
  token.special |= token.content == kEndOfText;
  ALIGNSAE_RETURN_IF_ERROR(AddToken(
      entry, token.id,
      {token.content, token.content, token.special, /*is_added=*/true}));
  added_.push_back(std::move(token));
  return absl::OkStatus();
}

// An added token that the vocabulary has too: its id is the same, and so are
// its bytes, literal and as the byte alphabet spells them.
absl::Status VocabularyBuilder::CheckAddedAgain(
    absl::string_view entry, int32_t id, const nlohmann::json& again) const {
  if (IdFromJson(again) != id) {
    return absl::InvalidArgumentError(
        absl::StrCat(entry, ": must be ", id, " as for the added token, got ",
                     Excerpt(again)));
  }
  const Token& token = tokens_.at(id);
  const std::optional<std::string> bytes = BytesFromSymbols(token.name);
  if (token.is_special || !bytes.has_value() || *bytes == token.bytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      entry, ": must not be an added token and the token of other bytes"));
}

absl::Status VocabularyBuilder::AddVocabEntry(absl::string_view field,
                                              const std::string& name,
                                              const nlohmann::json& id) {
  const std::string entry = Entry(field, name);
  // Only added tokens are there already, and the file that has them names ids
  // too.
  if (const auto known = ids_.find(name); known != ids_.end()) {
    return CheckAddedAgain(entry, known->second, id);
  }
  const std::optional<int32_t> parsed = IdFromJson(id);
  if (!parsed.has_value()) return IdError(entry, id);
  if (name == kEndOfText) {
    return AddAdded(field, {.content = name, .id = *parsed});
  }
  std::optional<std::string> bytes = BytesFromSymbols(name);
  if (!bytes.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        entry, ": must have characters of the byte alphabet only"));
  }
  return AddToken(entry, *parsed, {name, *std::move(bytes)});
}

absl::Status VocabularyBuilder::AddVocab(absl::string_view field,
                                         const nlohmann::json& vocab) {
  if (!vocab.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must be an object of ids, got ", vocab.type_name()));
  }
  for (auto it = vocab.begin(); it != vocab.end(); ++it) {
    ALIGNSAE_RETURN_IF_ERROR(AddVocabEntry(field, it.key(), it.value()));
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckIdsHaveNoGap(field));
  return CheckBytes(field);
}

absl::Status VocabularyBuilder::CheckIdsHaveNoGap(
    absl::string_view field) const {
  const int32_t count = static_cast<int32_t>(tokens_.size());
  for (int32_t id = 0; id < count; ++id) {
    if (tokens_.contains(id)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must have the ids 0 to ", count - 1, " for its ",
                     count, " tokens, got none with id ", id));
  }
  return absl::OkStatus();
}

// Every byte must have a token, or some text would have none.
absl::Status VocabularyBuilder::CheckBytes(absl::string_view field) {
  for (uint8_t byte : BytesInVocabularyOrder()) {
    const std::string symbol =
        SymbolsFromBytes(std::string(1, static_cast<char>(byte)));
    const auto it = ids_.find(symbol);
    if (it == ids_.end()) {
      return absl::InvalidArgumentError(absl::StrCat(
          field, ": must have a token for each of the 256 bytes, got none for ",
          static_cast<int>(byte), ", ", Quoted(symbol)));
    }
    if (tokens_[it->second].is_special) {
      return absl::InvalidArgumentError(
          absl::StrCat(Entry(field, symbol),
                       ": must not be a special token, got the token of byte ",
                       static_cast<int>(byte)));
    }
    reachable_.insert(it->second);
  }
  return absl::OkStatus();
}

absl::StatusOr<int32_t> VocabularyBuilder::FindMergePart(
    absl::string_view field, absl::string_view symbols) const {
  const auto it = ids_.find(symbols);
  if (it == ids_.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must merge tokens of the vocabulary, got ", Quoted(symbols)));
  }
  if (!reachable_.contains(it->second)) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must merge bytes or results of earlier merges, got ",
        Quoted(symbols)));
  }
  return it->second;
}

absl::Status VocabularyBuilder::AddMerge(absl::string_view field,
                                         absl::string_view left,
                                         absl::string_view right) {
  Merge merge;
  ALIGNSAE_ASSIGN_OR_RETURN(merge.left, FindMergePart(field, left));
  ALIGNSAE_ASSIGN_OR_RETURN(merge.right, FindMergePart(field, right));
  const std::string joined = absl::StrCat(left, right);
  const auto result = ids_.find(joined);
  if (result == ids_.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must make a token of the vocabulary, got ", Quoted(joined)));
  }
  merge.result = result->second;
  if (tokens_[merge.result].is_special) {
    // Text could otherwise spell a special token without being asked to.
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must not make a special token, got ", Quoted(joined)));
  }
  if (!merged_.emplace(merge.left, merge.right).second) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be there once, got ", Quoted(left), " and ",
                     Quoted(right), " again"));
  }
  reachable_.insert(merge.result);
  merges_.push_back(merge);
  return absl::OkStatus();
}

absl::Status VocabularyBuilder::AddMergeLine(absl::string_view field,
                                             absl::string_view line) {
  if (!BytesFromSymbols(absl::StrReplaceAll(line, {{" ", ""}})).has_value()) {
    // Escaped in full: the line may be no UTF-8 at all.
    return absl::InvalidArgumentError(absl::StrCat(
        field, ": must have characters of the byte alphabet only, got \"",
        absl::CHexEscape(line.substr(0, 64)), "\""));
  }
  const size_t blank = line.find(' ');
  if (blank == 0 || blank == absl::string_view::npos ||
      blank + 1 == line.size() ||
      line.find(' ', blank + 1) != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": must be two tokens with one space between, got ",
                     Quoted(line)));
  }
  return AddMerge(field, line.substr(0, blank), line.substr(blank + 1));
}

absl::StatusOr<Vocabulary> VocabularyBuilder::Finish() && {
  Vocabulary out;
  const int32_t count = static_cast<int32_t>(tokens_.size());
  for (int32_t id = 0; id < count; ++id) {
    Token& token = tokens_[id];
    out.tokens.push_back(std::move(token.bytes));
    out.is_special.push_back(token.is_special);
  }
  out.merges = std::move(merges_);
  out.added = std::move(added_);
  std::sort(
      out.added.begin(), out.added.end(),
      [](const AddedToken& a, const AddedToken& b) { return a.id < b.id; });
  return out;
}

}  // namespace alignsae
