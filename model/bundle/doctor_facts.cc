#include "model/bundle/doctor_facts.h"

#include <climits>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

constexpr int kVersion = 1;
constexpr size_t kMaxTokens = 1 << 16;

// Six digits: more is noise that differs between machines.
double Rounded(double value) {
  return std::strtod(absl::StrFormat("%.6g", value).c_str(), nullptr);
}

// The array under `key`, of `size` numbers where that is not negative.
absl::StatusOr<std::vector<double>> Numbers(const JsonObject& object,
                                            const std::string& key, int size) {
  const auto found = object.json().find(key);
  if (found == object.json().end() || !found->is_array() ||
      (size >= 0 && found->size() != static_cast<size_t>(size)) ||
      found->size() > kMaxTokens) {
    const std::string rule =
        size < 0 ? std::string("an array of 1 to 65536 numbers")
                 : absl::StrCat("an array of ", size, " numbers");
    return object.Refuse(
        key, rule, ShowJson(found == object.json().end() ? nullptr : &*found));
  }
  std::vector<double> numbers;
  for (const nlohmann::json& value : *found) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      return object.Refuse(key, "finite numbers", ShowJson(&value));
    }
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

absl::StatusOr<double> NotNegative(const JsonObject& object,
                                   absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(const double value, object.FiniteNumber(key));
  if (value >= 0) return value;
  return object.Refuse(key, "at least 0", ShowNumber(value));
}

absl::StatusOr<DoctorPrompt> ParsePrompt(const JsonObject& object,
                                         int concepts) {
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"text", "token_ids", "residual_norm",
                       "reconstruction_error", "pre", "values"}));
  DoctorPrompt prompt;
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.text, object.String("text"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> ids,
                            Numbers(object, "token_ids", -1));
  for (double id : ids) {
    if (id < 0 || id > INT32_MAX || id != std::floor(id)) {
      return object.Refuse("token_ids", "token ids", ShowNumber(id));
    }
    prompt.token_ids.push_back(static_cast<int32_t>(id));
  }
  if (ids.empty()) return object.Refuse("token_ids", "one id or more", "[]");
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.residual_norm,
                            NotNegative(object, "residual_norm"));
  ALIGNSAE_ASSIGN_OR_RETURN(prompt.reconstruction_error,
                            NotNegative(object, "reconstruction_error"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> pre,
                            Numbers(object, "pre", concepts));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> values,
                            Numbers(object, "values", concepts));
  prompt.pre.assign(pre.begin(), pre.end());
  prompt.values.assign(values.begin(), values.end());
  return prompt;
}

}  // namespace

absl::StatusOr<DoctorFacts> ParseDoctorFacts(absl::string_view json,
                                             int concepts) {
  absl::StatusOr<nlohmann::json> parsed = ParseJson(json);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kDoctorFile, ": ", parsed.status().message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root,
                            JsonObject::Of(*parsed, kDoctorFile));
  ALIGNSAE_RETURN_IF_ERROR(root.OnlyKeys({"format_version", "prompts"}));
  ALIGNSAE_RETURN_IF_ERROR(
      root.Integer("format_version", kVersion, kVersion).status());
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> prompts,
                            root.Objects("prompts"));
  if (prompts.empty() || prompts.size() > kMaxDoctorPrompts) {
    return root.Refuse("prompts", "1 to 64 prompts",
                       absl::StrCat(prompts.size()));
  }
  DoctorFacts facts;
  for (const JsonObject& prompt : prompts) {
    ALIGNSAE_ASSIGN_OR_RETURN(facts.prompts.emplace_back(),
                              ParsePrompt(prompt, concepts));
  }
  return facts;
}

std::string DoctorFactsToJson(const DoctorFacts& facts) {
  nlohmann::ordered_json prompts = nlohmann::ordered_json::array();
  for (const DoctorPrompt& prompt : facts.prompts) {
    std::vector<double> pre, values;
    for (float number : prompt.pre) pre.push_back(Rounded(number));
    for (float number : prompt.values) values.push_back(Rounded(number));
    prompts.push_back(
        {{"text", prompt.text},
         {"token_ids", prompt.token_ids},
         {"residual_norm", Rounded(prompt.residual_norm)},
         {"reconstruction_error", Rounded(prompt.reconstruction_error)},
         {"pre", pre},
         {"values", values}});
  }
  const nlohmann::ordered_json root = {{"format_version", kVersion},
                                       {"prompts", prompts}};
  return root.dump(1) + "\n";
}

}  // namespace alignsae
