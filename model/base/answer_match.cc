#include "model/base/answer_match.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"

namespace alignsae {
namespace {

// From 1; 0 for no month.
int MonthNumber(absl::string_view lower_case) {
  static constexpr std::array<absl::string_view, 12> kMonths = {
      "january", "february", "march",     "april",   "may",      "june",
      "july",    "august",   "september", "october", "november", "december"};
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == lower_case) return static_cast<int>(i) + 1;
  }
  return 0;
}

}  // namespace

std::string NormalizeAnswer(absl::string_view text) {
  std::string normal = absl::AsciiStrToLower(text);
  absl::RemoveExtraAsciiWhitespace(&normal);
  for (char& c : normal) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) c = ' ';
  }
  return normal;
}

std::optional<CalendarDate> ParseDate(absl::string_view text) {
  const std::string normal = NormalizeAnswer(text);
  std::vector<absl::string_view> words = absl::StrSplit(normal, ' ');
  if (words.size() != 3) return std::nullopt;
  if (MonthNumber(words[0]) != 0) {
    words[1] = absl::StripSuffix(words[1], ",");
    std::swap(words[0], words[1]);
  }
  CalendarDate date;
  date.month = MonthNumber(words[1]);
  if (date.month == 0 || !absl::SimpleAtoi(words[0], &date.day) ||
      !absl::SimpleAtoi(words[2], &date.year)) {
    return std::nullopt;
  }
  if (date.year < 1 || date.year > 9999) return std::nullopt;
  // Civil time normalises 31 June to 1 July; a date that exists stays.
  const absl::CivilDay day(date.year, date.month, date.day);
  if (day.month() != date.month || day.day() != date.day) return std::nullopt;
  return date;
}

bool WholeAnswerMatches(absl::string_view gold, absl::string_view answer) {
  const std::string normal_answer = NormalizeAnswer(answer);
  if (normal_answer.empty()) return false;
  if (const std::optional<CalendarDate> date = ParseDate(gold)) {
    return ParseDate(answer) == date;
  }
  return normal_answer == NormalizeAnswer(gold);
}

bool SubstringMatches(absl::string_view gold, absl::string_view answer) {
  const std::string normal_answer = NormalizeAnswer(answer);
  const std::string normal_gold = NormalizeAnswer(gold);
  if (normal_answer.empty()) return false;
  return absl::StrContains(normal_answer, normal_gold) ||
         absl::StrContains(normal_gold, normal_answer);
}

}  // namespace alignsae
