#include "model/base/json_lines.h"

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::Status ForEachJsonLine(
    absl::string_view text, absl::string_view before_number,
    const std::function<absl::Status(const JsonLine&)>& read) {
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    std::string place = absl::StrCat(before_number, number);
    const absl::StatusOr<nlohmann::json> value = ParseJson(line);
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": ", value.status().message()));
    }
    ALIGNSAE_RETURN_IF_ERROR(read({*value, number, std::move(place)}));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
