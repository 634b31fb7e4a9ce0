// One list of fields per options struct, and what is made of it: JSON for logs
// and checkpoints, range checks and (cli.h) flags. A struct lists its fields in
//
//   template <typename Self, typename Visitor>
//   static void VisitFields(Self& self, Visitor&& visit) {
//     visit("layers", self.layers, Range{1, 96}, "Transformer blocks");
//     visit("form", self.form, Choices{"covariance", "correlation"}, "...");
//   }
//
// Thread-safety: pure functions.
// Errors: INVALID_ARGUMENT "<field>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_OPTION_FIELDS_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_OPTION_FIELDS_H_

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Bounds of a numeric field, both included.
struct Range {
  double min = 0;
  double max = 0;
};

// Seeds: what a double, and so JSON, holds exactly.
inline constexpr Range kSeedRange = {0, 9007199254740992.0};

// Values of a text field.
struct Choices {
  Choices(std::initializer_list<std::string> list) : values(list) {}
  std::vector<std::string> values;
};

// Of a text field whose rule is checked where it is used (a list, a path).
struct AnyText {};

template <typename Options>
nlohmann::ordered_json FieldsToJson(const Options& options) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  Options::VisitFields(options,
                       [&](const char* name, const auto& value, const auto&,
                           const char*) { json[name] = value; });
  return json;
}

namespace option_fields_internal {

template <typename T>
std::string RuleBroken(const T& value, const Range& range) {
  const double number = static_cast<double>(value);
  if (std::isfinite(number) && number >= range.min && number <= range.max) {
    return "";
  }
  return absl::StrCat("must be in [", range.min, ", ", range.max, "], got ",
                      value);
}

inline std::string RuleBroken(const std::string&, const AnyText&) { return ""; }

inline std::string RuleBroken(const std::string& value,
                              const Choices& choices) {
  const auto& values = choices.values;
  if (std::find(values.begin(), values.end(), value) != values.end()) return "";
  return absl::StrCat("must be one of ", absl::StrJoin(values, ", "),
                      ", got \"", value, "\"");
}

}  // namespace option_fields_internal

// Sets the field `name` from JSON of its kind. Rules are CheckFields' matter.
// Errors: NOT_FOUND for another name; INVALID_ARGUMENT "<name>: must be <a
// number | a whole number | a text>, got <value>".
template <typename Options>
absl::Status SetField(Options& options, absl::string_view name,
                      const nlohmann::json& value) {
  absl::Status status = absl::NotFoundError(
      absl::StrCat("\"", name, "\": must be the name of an option"));
  Options::VisitFields(
      options, [&](const char* field, auto& out, const auto&, const char*) {
        if (name != field) return;
        using T = std::decay_t<decltype(out)>;
        const char* kind = nullptr;
        if constexpr (std::is_same_v<T, std::string>) {
          if (!value.is_string()) kind = "a text";
        } else if constexpr (std::is_floating_point_v<T>) {
          if (!value.is_number()) kind = "a number";
        } else {
          if (!value.is_number_integer()) kind = "a whole number";
        }
        status = absl::OkStatus();
        if (kind != nullptr) {
          status = absl::InvalidArgumentError(
              absl::StrCat(name, ": must be ", kind, ", got ", value.dump()));
        } else {
          out = value.get<T>();
        }
      });
  return status;
}

// The first field that breaks its rule.
template <typename Options>
absl::Status CheckFields(const Options& options) {
  absl::Status status;
  Options::VisitFields(options, [&](const char* name, const auto& value,
                                    const auto& rule, const char*) {
    const std::string broken = option_fields_internal::RuleBroken(value, rule);
    if (!broken.empty() && status.ok()) {
      status = absl::InvalidArgumentError(absl::StrCat(name, ": ", broken));
    }
  });
  return status;
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_OPTION_FIELDS_H_
