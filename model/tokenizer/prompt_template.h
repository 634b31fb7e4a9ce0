// A prompt template with "{question}" in it, filled in. A special token that
// the template spells is a token; in the question it is text.
//
// Thread-safety: pure functions.
// Errors: none; a template without the mark is its own text.
//
//   const FilledTemplate prompt = FillTemplate("<|user|>{question}", "Who?");
//   tokenizer.Encode(prompt.text, {.special_in = prompt.of_template});

#ifndef ALIGNSAE_MODEL_TOKENIZER_PROMPT_TEMPLATE_H_
#define ALIGNSAE_MODEL_TOKENIZER_PROMPT_TEMPLATE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

inline constexpr absl::string_view kQuestionMark = "{question}";

struct FilledTemplate {
  std::string text;
  // The template's own parts of `text`: before and behind the question.
  std::vector<Tokenizer::Span> of_template;
};

// The first "{question}" is the question's place.
FilledTemplate FillTemplate(absl::string_view prompt_template,
                            absl::string_view question);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_PROMPT_TEMPLATE_H_
