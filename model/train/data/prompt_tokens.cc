#include "model/train/data/prompt_tokens.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Encoded = std::vector<Tokenizer::EncodedToken>;

// The last token of the text that the prompt names; -1 when a token reaches
// over one of its ends.
int LastTokenOf(const LabelledPrompt& prompt, const Encoded& tokens) {
  const size_t begin = prompt.text.find(prompt.position_text);
  const size_t end = begin + prompt.position_text.size();
  const bool blank = begin > 0 && prompt.text[begin - 1] == ' ';
  bool begins = false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const size_t at = tokens[i].begin;
    begins = begins || at == begin || (blank && at + 1 == begin);
    const size_t next =
        i + 1 < tokens.size() ? tokens[i + 1].begin : prompt.text.size();
    if (next >= end) return begins && next == end ? static_cast<int>(i) : -1;
  }
  return -1;
}

absl::StatusOr<int> PositionOf(const PromptSet& set,
                               const LabelledPrompt& prompt,
                               const Encoded& tokens) {
  const int length = static_cast<int>(tokens.size());
  if (prompt.position_text.empty()) {
    const int position =
        prompt.position < 0 ? length + prompt.position : prompt.position;
    if (position >= 0 && position < length) return position;
    return BadPrompt(set, prompt,
                     absl::StrCat("position: must be in [", -length, ", ",
                                  length - 1, "], got ", prompt.position));
  }
  const int position = LastTokenOf(prompt, tokens);
  if (position >= 0) return position;
  return BadPrompt(set, prompt,
                   absl::StrCat("position.text: must be made of whole tokens, "
                                "got ",
                                Quoted(prompt.position_text)));
}

}  // namespace

absl::StatusOr<std::vector<PositionedPrompt>> TokenizePrompts(
    const PromptSet& set, const Tokenizer& tokenizer, int context_length,
    int vocab_size, std::optional<int32_t> first) {
  if (first.has_value()) --context_length;
  std::vector<PositionedPrompt> located;
  for (const LabelledPrompt& prompt : set.prompts) {
    Encoded encoded;
    if (prompt.token_ids.empty()) {
      encoded = tokenizer.EncodeWithOffsets(prompt.text, {});
    } else {  // Their positions are numbers.
      for (int32_t id : prompt.token_ids) encoded.push_back({.id = id});
    }
    PositionedPrompt next;
    for (const Tokenizer::EncodedToken& token : encoded) {
      next.tokens.push_back(token.id);
    }
    const int length = static_cast<int>(next.tokens.size());
    if (length < 1 || length > context_length) {
      return BadPrompt(set, prompt,
                       absl::StrCat("prompt: must have 1 to ", context_length,
                                    " tokens, got ", length));
    }
    const int32_t largest =
        *std::max_element(next.tokens.begin(), next.tokens.end());
    if (largest >= vocab_size) {
      return BadPrompt(set, prompt,
                       absl::StrCat("token_ids: must be in [0, ",
                                    vocab_size - 1, "], got ", largest));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(next.position, PositionOf(set, prompt, encoded));
    if (first.has_value()) {
      next.tokens.insert(next.tokens.begin(), *first);
      ++next.position;
    }
    located.push_back(std::move(next));
  }
  return located;
}

}  // namespace alignsae
