// When is an answer right? The rules of the evaluation protocol, on text, for
// the evaluation and for what validates a served checkpoint.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_BASE_ANSWER_MATCH_H_
#define ALIGNSAE_MODEL_BASE_ANSWER_MATCH_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

// White space at the ends removed and inside made one blank each, ASCII letters
// in lower case.
std::string NormalizeAnswer(absl::string_view text);

struct CalendarDate {
  int day = 0;
  int month = 0;  // From 1.
  int year = 0;
  friend bool operator==(const CalendarDate&, const CalendarDate&) = default;
};
// "7 March 1984" or "March 7, 1984" (the comma may be missing), nothing else.
// Only dates that exist.
std::optional<CalendarDate> ParseDate(absl::string_view text);

// The rule that counts. Whole strings after normalising; where the gold answer
// is a date, as (day, month, year). An empty or partial answer is wrong.
bool WholeAnswerMatches(absl::string_view gold, absl::string_view answer);

// The rule of the method's authors, reported beside it because it flatters: the
// normalised answer contains the gold one or the other way round. An empty
// answer is wrong all the same.
bool SubstringMatches(absl::string_view gold, absl::string_view answer);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_ANSWER_MATCH_H_
