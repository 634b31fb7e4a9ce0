#include "model/tokenizer/tokenizer.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/bpe_model.h"
#include "model/tokenizer/limits.h"
#include "model/tokenizer/load.h"
#include "model/tokenizer/pretokenizer.h"
#include "model/tokenizer/special_tokens.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

struct Tokenizer::Impl {
  explicit Impl(Vocabulary v)
      : vocabulary(std::move(v)), bpe(vocabulary), specials(vocabulary) {
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

  void EncodePlain(absl::string_view text, BpeModel::Scratch& scratch,
                   std::vector<int32_t>& ids) const {
    Pretokenizer pieces(text);
    while (!pieces.done()) bpe.EncodePiece(pieces.Next(), scratch, ids);
  }

  Vocabulary vocabulary;
  BpeModel bpe;
  SpecialTokens specials;
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
  BpeModel::Scratch scratch;
  while (options.parse_special) {
    const std::optional<SpecialTokens::Match> match =
        impl_->specials.Find(text);
    if (!match.has_value()) break;
    impl_->EncodePlain(text.substr(0, match->begin), scratch, ids);
    ids.push_back(match->id);
    text.remove_prefix(match->begin + match->size);
  }
  impl_->EncodePlain(text, scratch, ids);
  return ids;
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

size_t Tokenizer::longest_text_token() const {
  return impl_->longest_text_token;
}

}  // namespace alignsae
