#include "model/tokenizer/prompt_template.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace alignsae {

FilledTemplate FillTemplate(absl::string_view prompt_template,
                            absl::string_view question) {
  const size_t at = prompt_template.find(kQuestionMark);
  if (at == absl::string_view::npos) {
    return {.text = std::string(prompt_template),
            .of_template = {{0, prompt_template.size()}}};
  }
  const absl::string_view behind =
      prompt_template.substr(at + kQuestionMark.size());
  FilledTemplate filled;
  filled.text = absl::StrCat(prompt_template.substr(0, at), question, behind);
  const size_t end = filled.text.size();
  filled.of_template = {{0, at}, {end - behind.size(), end}};
  return filled;
}

}  // namespace alignsae
