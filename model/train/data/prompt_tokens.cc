#include "model/train/data/prompt_tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/text_span.h"

namespace alignsae {
namespace {

absl::Status Locate(const PromptSet& set, const LabelledPrompt& prompt,
                    const Tokenizer& tokenizer, PositionedPrompt& located) {
  const int length = static_cast<int>(located.tokens.size());
  if (prompt.position_text.empty()) {
    located.position =
        prompt.position < 0 ? length + prompt.position : prompt.position;
    if (located.position >= 0 && located.position < length) {
      return absl::OkStatus();
    }
    return BadPrompt(set, prompt,
                     absl::StrCat("position: must be in [", -length, ", ",
                                  length - 1, "], got ", prompt.position));
  }
  const absl::StatusOr<TextSpan> span =
      InField("position.text",
              FindTextSpan(prompt.position_text, located.tokens, tokenizer));
  if (!span.ok()) return BadPrompt(set, prompt, span.status().message());
  located.position = span->stop - 1;
  located.before = located.position - span->start;
  return absl::OkStatus();
}

}  // namespace

std::vector<int> PositionedPrompt::Span() const {
  std::vector<int> positions;
  for (int i = position - before; i <= position; ++i) positions.push_back(i);
  return positions;
}

absl::StatusOr<std::vector<PositionedPrompt>> TokenizePrompts(
    const PromptSet& set, const Tokenizer& tokenizer, int context_length,
    int vocab_size, std::optional<int32_t> first) {
  if (first.has_value()) --context_length;
  std::vector<PositionedPrompt> located;
  for (const LabelledPrompt& prompt : set.prompts) {
    PositionedPrompt next;
    next.tokens = prompt.token_ids.empty() ? tokenizer.Encode(prompt.text)
                                           : prompt.token_ids;
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
    ALIGNSAE_RETURN_IF_ERROR(Locate(set, prompt, tokenizer, next));
    if (first.has_value()) {
      next.tokens.insert(next.tokens.begin(), *first);
      ++next.position;
    }
    located.push_back(std::move(next));
  }
  return located;
}

}  // namespace alignsae
