// Real facts: countries with capital, currency, continent, language and calling
// code, of countries.tsv, which says where they come from.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_COUNTRIES_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_COUNTRIES_H_

#include <array>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/train/data/lexicons.h"

namespace alignsae {

struct Country {
  absl::string_view name;
  // In the order of kCountryRelationInfo.
  std::array<absl::string_view, kCountryRelationCount> values;
};

absl::Span<const Country> Countries();

// The text of countries.tsv; the build puts it into the program.
absl::string_view CountriesTable();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_COUNTRIES_H_
