#include "model/base/json_object.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"

namespace alignsae {

using Json = nlohmann::json;

std::string ShowJson(const Json* value) {
  constexpr size_t kMaxBytes = 64;
  if (value == nullptr) return "nothing";
  if (value->is_object()) return value->empty() ? "{}" : "an object";
  if (value->is_array()) return value->empty() ? "[]" : "an array";
  std::string text = value->dump(-1, ' ', /*ensure_ascii=*/true,
                                 Json::error_handler_t::replace);
  if (text.size() > kMaxBytes) {
    text = absl::StrCat(text.substr(0, kMaxBytes), "...");
  }
  return text;
}

std::string ShowNumber(double value) { return Json(value).dump(); }

absl::StatusOr<JsonObject> JsonObject::Of(const Json& value, std::string file) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": must be a JSON object, got ", ShowJson(&value)));
  }
  return JsonObject(&value, std::move(file), "");
}

absl::Status JsonObject::Refuse(absl::string_view key, absl::string_view rule,
                                absl::string_view got) const {
  return absl::InvalidArgumentError(
      absl::StrCat(file_, ": ", path_, key, ": must be ", rule, ", got ", got));
}

absl::Status JsonObject::RefuseType(absl::string_view key,
                                    absl::string_view rule) const {
  return Refuse(key, rule, ShowJson(Find(key)));
}

const Json* JsonObject::Find(absl::string_view key) const {
  const auto it = object_->find(std::string(key));
  return it == object_->end() ? nullptr : &*it;
}

absl::Status JsonObject::OnlyKeys(
    std::initializer_list<absl::string_view> known) const {
  for (const auto& item : object_->items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) {
      continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        file_, ": ", path_, Quoted(item.key()),
        ": must not be there; it is not a key of this version's schema"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> JsonObject::String(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_string()) {
    return RefuseType(key, "a string");
  }
  return value->get<std::string>();
}

absl::StatusOr<double> JsonObject::FiniteNumber(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_number() ||
      !std::isfinite(value->get<double>())) {
    return RefuseType(key, "a finite number");
  }
  return value->get<double>();
}

absl::StatusOr<int> JsonObject::Integer(absl::string_view key, int low,
                                        int high) const {
  const Json* value = Find(key);
  // Unsigned values above 2^63 would wrap in get<int64_t>().
  const bool fits =
      value != nullptr && value->is_number_integer() &&
      (!value->is_number_unsigned() || value->get<uint64_t>() <= INT32_MAX) &&
      value->get<int64_t>() >= low && value->get<int64_t>() <= high;
  if (!fits) {
    return RefuseType(key,
                      absl::StrCat("an integer in [", low, ", ", high, "]"));
  }
  return value->get<int>();
}

absl::StatusOr<uint64_t> JsonObject::Unsigned(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_number_unsigned()) {
    return RefuseType(key, "an integer in [0, 2^64 - 1]");
  }
  return value->get<uint64_t>();
}

absl::StatusOr<JsonObject> JsonObject::Object(absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_object()) {
    return RefuseType(key, "an object");
  }
  return JsonObject(value, file_, absl::StrCat(path_, key, "."));
}

absl::StatusOr<std::vector<JsonObject>> JsonObject::Objects(
    absl::string_view key) const {
  const Json* value = Find(key);
  if (value == nullptr || !value->is_array()) {
    return RefuseType(key, "an array of objects");
  }
  std::vector<JsonObject> objects;
  for (size_t i = 0; i < value->size(); ++i) {
    const Json& element = (*value)[i];
    const std::string place = absl::StrCat(key, "[", i, "]");
    if (!element.is_object()) {
      return Refuse(place, "an object", ShowJson(&element));
    }
    objects.push_back(
        JsonObject(&element, file_, absl::StrCat(path_, place, ".")));
  }
  return objects;
}

}  // namespace alignsae
