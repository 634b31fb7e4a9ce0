#include "model/train/data/countries.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "model/base/dcheck.h"

namespace alignsae {
namespace {

std::vector<Country> ParseTable() {
  std::vector<Country> countries;
  for (absl::string_view line : absl::StrSplit(CountriesTable(), '\n')) {
    if (line.empty() || absl::StartsWith(line, "#")) continue;
    const std::vector<absl::string_view> fields = absl::StrSplit(line, '\t');
    ALIGNSAE_DCHECK(fields.size() == kCountryRelationCount + 1);
    Country country;
    country.name = fields[0];
    for (int r = 0; r < kCountryRelationCount; ++r) {
      country.values[r] = fields[r + 1];
    }
    countries.push_back(country);
  }
  return countries;
}

}  // namespace

absl::Span<const Country> Countries() {
  static const auto& countries = *new std::vector<Country>(ParseTable());
  return countries;
}

}  // namespace alignsae
