// The words that synthetic people are made of: names, cities, universities,
// majors, employers.
//
// The lists obey rules that the corpus tests check. The first words of cities,
// universities, majors and employers are pairwise different, so the first token
// of an answer fixes its tail. No content word is shared between two relations
// or with a person's name. Employers' cities are in the list of cities.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_WORD_LISTS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_WORD_LISTS_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alignsae {

struct EmployerEntry {
  absl::string_view name;
  absl::string_view city;
};

// Birth dates are "D Month YYYY" with these bounds; day 28 exists in any month.
inline constexpr int kLastDay = 28;
inline constexpr int kFirstYear = 1950;
inline constexpr int kLastYear = 1999;

absl::Span<const absl::string_view> FirstNames();
absl::Span<const absl::string_view> LastNames();
absl::Span<const absl::string_view> Cities();  // "City, ST".
absl::Span<const absl::string_view> Universities();
absl::Span<const absl::string_view> Majors();
absl::Span<const absl::string_view> Months();
absl::Span<const EmployerEntry> Employers();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_WORD_LISTS_H_
