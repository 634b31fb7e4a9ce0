#include "model/tokenizer/added_tokens.h"

#include <algorithm>
#include <string>

#include "model/tokenizer/character_class.h"
#include "model/tokenizer/nfc.h"
#include "model/tokenizer/utf8.h"

namespace alignsae {
namespace {

bool IsWord(const Utf8Char& c) {
  return c.state == Utf8Char::kWhole && IsWordCharacter(c.code_point);
}

bool IsBlank(const Utf8Char& c) {
  return c.state == Utf8Char::kWhole &&
         ClassOf(c.code_point) == CharacterClass::kBlank;
}

// The last character of `text`, which is not empty.
Utf8Char LastChar(absl::string_view text) {
  constexpr size_t kLongest = 4;
  for (size_t size = std::min(kLongest, text.size()); size > 1; --size) {
    const Utf8Char c = ReadUtf8(text.substr(text.size() - size));
    if (c.state == Utf8Char::kWhole && c.length == size) return c;
  }
  return ReadUtf8(text.substr(text.size() - 1));
}

bool IsOneWord(absl::string_view text, size_t begin, size_t end) {
  return (begin == 0 || !IsWord(LastChar(text.substr(0, begin)))) &&
         (end == text.size() || !IsWord(ReadUtf8(text.substr(end))));
}

// Where the blanks that end at `end` begin.
size_t BlanksBefore(absl::string_view text, size_t end) {
  while (end > 0) {
    const Utf8Char c = LastChar(text.substr(0, end));
    if (!IsBlank(c)) break;
    end -= c.length;
  }
  return end;
}

// Where the blanks that begin at `begin` end.
size_t BlanksBehind(absl::string_view text, size_t begin) {
  while (begin < text.size()) {
    const Utf8Char c = ReadUtf8(text.substr(begin));
    if (!IsBlank(c)) break;
    begin += c.length;
  }
  return begin;
}

bool Takes(AddedTokens::Take take, bool special) {
  return take == AddedTokens::Take::kAll ||
         special == (take == AddedTokens::Take::kSpecial);
}

}  // namespace

AddedTokens::AddedTokens(const Vocabulary& vocabulary) {
  for (AddedToken token : vocabulary.added) {
    if (vocabulary.nfc && token.normalized) {
      token.content = std::string(NfcText(token.content).text());
    }
    passes_[token.normalized ? 1 : 0].Add(token);
  }
}

std::vector<AddedTokens::Piece> AddedTokens::Cut(absl::string_view text,
                                                 Take take, Stage stage) const {
  std::vector<Piece> pieces;
  const Pass& pass = passes_[static_cast<int>(stage)];
  if (pass.Applies(take)) {
    pass.Cut(text, /*offset=*/0, take, pieces);
  } else if (!text.empty()) {
    pieces.push_back({.begin = 0, .end = text.size()});
  }
  return pieces;
}

std::vector<AddedTokens::Piece> AddedTokens::Cut(absl::string_view text,
                                                 Take take) const {
  std::vector<Piece> pieces;
  for (const Piece& piece : Cut(text, take, Stage::kAsWritten)) {
    if (piece.id != kText) {
      pieces.push_back(piece);
      continue;
    }
    for (Piece part : Cut(text.substr(piece.begin, piece.end - piece.begin),
                          take, Stage::kNormalized)) {
      part.begin += piece.begin;
      part.end += piece.begin;
      pieces.push_back(part);
    }
  }
  return pieces;
}

void AddedTokens::Pass::Add(const AddedToken& token) {
  int32_t node = 0;
  for (char c : token.content) {
    const int32_t fresh = static_cast<int32_t>(children_.size()) + 1;
    node = children_.try_emplace({node, c}, fresh).first->second;
  }
  starts_[static_cast<uint8_t>(token.content[0])] = true;
  token_at_node_[node] = tokens_.size();
  tokens_.push_back(token);
}

bool AddedTokens::Pass::Applies(Take take) const {
  return std::any_of(
      tokens_.begin(), tokens_.end(),
      [take](const AddedToken& token) { return Takes(take, token.special); });
}

void AddedTokens::Pass::Cut(absl::string_view text, size_t offset, Take take,
                            std::vector<Piece>& pieces) const {
  size_t done = 0;
  for (Match match = Find(text, 0); match.token != nullptr;
       match = Find(text, match.end)) {
    const AddedToken& token = *match.token;
    if (!Takes(take, token.special)) continue;
    if (token.single_word && !IsOneWord(text, match.begin, match.end)) continue;
    // Blanks of the token before it stay that one's.
    const size_t begin = token.lstrip
                             ? std::max(done, BlanksBefore(text, match.begin))
                             : std::max(done, match.begin);
    const size_t end = token.rstrip ? BlanksBehind(text, match.end) : match.end;
    if (done < begin) {
      pieces.push_back({.begin = offset + done, .end = offset + begin});
    }
    pieces.push_back(
        {.begin = offset + begin, .end = offset + end, .id = token.id});
    done = std::max(done, end);
  }
  if (done < text.size()) {
    pieces.push_back({.begin = offset + done, .end = offset + text.size()});
  }
}

AddedTokens::Pass::Match AddedTokens::Pass::Find(absl::string_view text,
                                                 size_t from) const {
  for (size_t begin = from; begin < text.size(); ++begin) {
    if (!starts_[static_cast<uint8_t>(text[begin])]) continue;
    const Match match = MatchAt(text, begin);
    if (match.token != nullptr) return match;
  }
  return {.begin = text.size(), .end = text.size(), .token = nullptr};
}

AddedTokens::Pass::Match AddedTokens::Pass::MatchAt(absl::string_view text,
                                                    size_t begin) const {
  Match longest = {.begin = begin, .end = begin, .token = nullptr};
  int32_t node = 0;
  for (size_t end = begin; end < text.size();) {
    const auto child = children_.find({node, text[end]});
    if (child == children_.end()) break;
    node = child->second;
    ++end;
    const auto token = token_at_node_.find(node);
    if (token != token_at_node_.end()) {
      longest.end = end;
      longest.token = &tokens_[token->second];
    }
  }
  return longest;
}

}  // namespace alignsae
