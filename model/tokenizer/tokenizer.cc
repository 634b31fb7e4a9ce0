#include "model/tokenizer/tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe_model.h"
#include "model/tokenizer/limits.h"
#include "model/tokenizer/load.h"
#include "model/tokenizer/nfc.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

struct Tokenizer::Impl {
  explicit Impl(Vocabulary v)
      : vocabulary(std::move(v)), bpe(vocabulary), added(vocabulary) {
    for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
      if (vocabulary.is_special[id] && vocabulary.tokens[id] == kEndOfText) {
        eos_token_id = static_cast<int32_t>(id);
      }
      if (!vocabulary.is_special[id]) {
        longest_text_token =
            std::max(longest_text_token, vocabulary.tokens[id].size());
      }
    }
  }

  bool Holds(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < vocabulary.tokens.size();
  }

  // The tokens of a text and, where asked for, where each begins.
  struct Output {
    std::vector<int32_t>& ids;
    std::vector<size_t>* begins = nullptr;
    BpeModel::Scratch scratch = {};

    void Add(int32_t id, size_t begin) {
      ids.push_back(id);
      if (begins != nullptr) begins->push_back(begin);
    }
  };

  // The tokens of text[piece]; `origin` says where in the whole text a byte of
  // `text` comes from.
  template <typename Origin>
  void EncodePiece(absl::string_view text, const AddedTokens::Piece& piece,
                   const Origin& origin, Output& out) const {
    if (piece.id != AddedTokens::kText) {
      out.Add(piece.id, origin(piece.begin));
      return;
    }
    const size_t first = out.ids.size();
    Pretokenizer words(text.substr(piece.begin, piece.end - piece.begin));
    while (!words.done()) bpe.EncodePiece(words.Next(), out.scratch, out.ids);
    if (out.begins == nullptr) return;
    size_t begin = piece.begin;
    for (size_t i = first; i < out.ids.size(); ++i) {
      out.begins->push_back(origin(begin));
      begin += vocabulary.tokens[out.ids[i]].size();
    }
  }

  // Text without added tokens that are matched as it is written. It begins at
  // `offset` of the whole.
  void EncodeNormalized(absl::string_view text, size_t offset,
                        AddedTokens::Take take, Output& out) const {
    constexpr auto kStage = AddedTokens::Stage::kNormalized;
    if (!vocabulary.nfc) {
      const auto origin = [&](size_t byte) { return offset + byte; };
      for (const AddedTokens::Piece& piece : added.Cut(text, take, kStage)) {
        EncodePiece(text, piece, origin, out);
      }
      return;
    }
    const NfcText nfc(text);
    const auto origin = [&](size_t byte) { return offset + nfc.Origin(byte); };
    for (const AddedTokens::Piece& piece :
         added.Cut(nfc.text(), take, kStage)) {
      EncodePiece(nfc.text(), piece, origin, out);
    }
  }

  // text[span], of whose added tokens those of `take` are tokens.
  void EncodeSpan(absl::string_view text, Span span, AddedTokens::Take take,
                  Output& out) const {
    const absl::string_view inside =
        text.substr(span.begin, span.end - span.begin);
    for (const AddedTokens::Piece& piece :
         added.Cut(inside, take, AddedTokens::Stage::kAsWritten)) {
      const size_t begin = span.begin + piece.begin;
      if (piece.id == AddedTokens::kText) {
        EncodeNormalized(inside.substr(piece.begin, piece.end - piece.begin),
                         begin, take, out);
      } else {
        out.Add(piece.id, begin);
      }
    }
  }

  // Text with its own special tokens or none: [begin, end) of `text`.
  void Cut(absl::string_view text, Span span, AddedTokens::Take take,
           std::vector<AddedTokens::Piece>& pieces) const {
    for (AddedTokens::Piece piece :
         added.Cut(text.substr(span.begin, span.end - span.begin), take)) {
      piece.begin += span.begin;
      piece.end += span.begin;
      pieces.push_back(piece);
    }
  }

  // The special tokens in `spans`, and as text what lies between them.
  std::vector<AddedTokens::Piece> CutSpecial(
      absl::string_view text, absl::Span<const Span> spans) const {
    std::vector<AddedTokens::Piece> special;
    for (const Span& span : spans) {
      Cut(text, span, AddedTokens::Take::kSpecial, special);
    }
    std::vector<AddedTokens::Piece> pieces;
    size_t done = 0;
    const auto add_text = [&](size_t end) {
      if (done < end) pieces.push_back({.begin = done, .end = end});
    };
    for (const AddedTokens::Piece& piece : special) {
      if (piece.id == AddedTokens::kText) continue;
      add_text(piece.begin);
      pieces.push_back(piece);
      done = piece.end;
    }
    add_text(text.size());
    return pieces;
  }

  void Encode(absl::string_view text, const EncodeOptions& options,
              Output out) const {
    using Take = AddedTokens::Take;
    if (options.parse_special) {
      EncodeSpan(text, {0, text.size()}, Take::kAll, out);
      return;
    }
    for (const AddedTokens::Piece& piece :
         CutSpecial(text, options.special_in)) {
      if (piece.id == AddedTokens::kText) {
        EncodeSpan(text, {piece.begin, piece.end}, Take::kNotSpecial, out);
      } else {
        out.Add(piece.id, piece.begin);
      }
    }
  }

  Vocabulary vocabulary;
  BpeModel bpe;
  AddedTokens added;
  int32_t eos_token_id = -1;
  size_t longest_text_token = 0;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

absl::StatusOr<Tokenizer> Tokenizer::Load(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(Vocabulary vocabulary, LoadVocabulary(directory));
  return Tokenizer(std::make_unique<Impl>(std::move(vocabulary)));
}

absl::StatusOr<Tokenizer> Tokenizer::FromFiles(
    absl::string_view vocab_json, absl::string_view merges_txt,
    absl::string_view added_tokens_json) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      Vocabulary vocabulary,
      ParseVocabularyFiles(vocab_json, merges_txt, added_tokens_json));
  return Tokenizer(std::make_unique<Impl>(std::move(vocabulary)));
}

std::vector<int32_t> Tokenizer::Encode(absl::string_view text,
                                       const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  impl_->Encode(text, options, {ids, /*begins=*/nullptr});
  return ids;
}

std::vector<Tokenizer::EncodedToken> Tokenizer::EncodeWithOffsets(
    absl::string_view text, const EncodeOptions& options) const {
  std::vector<int32_t> ids;
  std::vector<size_t> begins;
  impl_->Encode(text, options, {ids, &begins});
  std::vector<EncodedToken> tokens;
  for (size_t i = 0; i < ids.size(); ++i) {
    tokens.push_back({.id = ids[i], .begin = begins[i]});
  }
  return tokens;
}

absl::StatusOr<std::string> Tokenizer::Decode(
    absl::Span<const int32_t> ids) const {
  std::string bytes;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!impl_->Holds(ids[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("token_ids[", i, "]: must be in [0, ", vocab_size() - 1,
                       "], got ", ids[i]));
    }
    bytes += impl_->vocabulary.tokens[ids[i]];
  }
  return bytes;
}

absl::string_view Tokenizer::TokenBytes(int32_t id) const {
  return impl_->Holds(id) ? impl_->vocabulary.tokens[id] : absl::string_view();
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return impl_->Holds(id) && impl_->vocabulary.is_special[id];
}

int Tokenizer::vocab_size() const {
  return static_cast<int>(impl_->vocabulary.tokens.size());
}

int32_t Tokenizer::eos_token_id() const { return impl_->eos_token_id; }

const std::vector<std::string>& Tokenizer::warnings() const {
  return impl_->vocabulary.warnings;
}

size_t Tokenizer::longest_text_token() const {
  return impl_->longest_text_token;
}

}  // namespace alignsae
