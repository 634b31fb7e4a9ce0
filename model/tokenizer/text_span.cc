#include "model/tokenizer/text_span.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

// What the token adds to the text: nothing where it is special, or where the
// model has more ids than the tokenizer.
absl::string_view SpelledBy(const Tokenizer& tokenizer, int32_t id) {
  if (id < 0 || id >= tokenizer.vocab_size() || tokenizer.IsSpecial(id)) {
    return "";
  }
  return tokenizer.TokenBytes(id);
}

}  // namespace

absl::StatusOr<TextSpan> FindTextSpan(absl::string_view text,
                                      absl::Span<const int32_t> prompt,
                                      const Tokenizer& tokenizer) {
  std::string spelled;
  std::vector<size_t> begins;  // Of each token, and of the end.
  for (int32_t id : prompt) {
    begins.push_back(spelled.size());
    absl::StrAppend(&spelled, SpelledBy(tokenizer, id));
  }
  begins.push_back(spelled.size());

  constexpr absl::string_view kRule = "stand in the prompt, once";
  if (text.empty()) return InvalidField("", "not be empty", "\"\"");
  const absl::string_view all = spelled;
  const size_t at = all.find(text);
  if (at == absl::string_view::npos) {
    return InvalidField("", kRule,
                        absl::StrCat(Quoted(text), ", which does not"));
  }
  if (all.find(text, at + 1) != absl::string_view::npos) {
    return InvalidField(
        "", kRule, absl::StrCat(Quoted(text), ", which stands there again"));
  }
  // Special tokens spell nothing: of equal places the last, where the text is.
  const auto token_at = [&begins](size_t place) {
    const auto after = std::upper_bound(begins.begin(), begins.end(), place);
    return static_cast<int>(after - begins.begin()) - 1;
  };
  const auto is_begin = [&](size_t place) {
    return begins[token_at(place)] == place;
  };
  const bool blank = at > 0 && all[at - 1] == ' ' && !is_begin(at);
  const size_t start = blank ? at - 1 : at;
  const size_t stop = at + text.size();
  if (!is_begin(start) || !is_begin(stop)) {
    return InvalidField("", "begin and end between two tokens",
                        absl::StrCat(Quoted(text), ", which cuts one"));
  }
  TextSpan span;
  span.start = token_at(start);
  // The first token that ends there: those behind it may spell nothing.
  span.stop = static_cast<int>(
      std::lower_bound(begins.begin(), begins.end(), stop) - begins.begin());
  return span;
}

}  // namespace alignsae
