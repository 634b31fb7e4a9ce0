#include "model/transformer/end_tokens.h"

#include <algorithm>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

absl::Status Refuse(absl::string_view key, const Json& value) {
  return absl::InvalidArgumentError(
      absl::StrCat(key,
                   ": must be a token id (an integer in [0, 2147483647]) or a "
                   "list of them, got ",
                   ShowJson(&value)));
}

bool IsId(const Json& value) {
  // As unsigned first: what lies above INT64_MAX does not fit get<int64_t>.
  constexpr uint64_t kMax = std::numeric_limits<int32_t>::max();
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= kMax;
  return value.is_number_integer() && value.get<int64_t>() >= 0 &&
         value.get<int64_t>() <= static_cast<int64_t>(kMax);
}

void AddOnce(int32_t id, std::vector<int32_t>& ids) {
  if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
}

}  // namespace

EndTokens EndTokens::Only(int32_t id) {
  EndTokens tokens;
  if (id >= 0) tokens.ids = {id};
  return tokens;
}

absl::StatusOr<EndTokens> ParseEndTokens(const Json& value,
                                         absl::string_view key,
                                         int vocab_size) {
  EndTokens tokens;
  if (value.is_null()) return tokens;
  const Json list = value.is_array() ? value : Json::array({value});
  if (list.empty()) return Refuse(key, value);
  for (const Json& id : list) {
    if (!IsId(id)) return Refuse(key, value);
    const int32_t token = id.get<int32_t>();
    AddOnce(token, token < vocab_size ? tokens.ids : tokens.unreachable);
  }
  return tokens;
}

Json EndTokensToJson(const EndTokens& tokens) {
  if (tokens.ids.empty()) return nullptr;
  if (tokens.ids.size() == 1) return tokens.ids.front();
  return tokens.ids;
}

std::vector<std::string> UnreachableWarnings(const EndTokens& tokens,
                                             absl::string_view key,
                                             int vocab_size) {
  std::vector<std::string> warnings;
  for (int32_t id : tokens.unreachable) {
    warnings.push_back(absl::StrCat(
        key, ": ", id, " lies outside of the vocabulary of ", vocab_size,
        " tokens: it can never be generated and ends no answer"));
  }
  return warnings;
}

}  // namespace alignsae
