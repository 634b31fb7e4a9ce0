#include "model/transformer/config_fields.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxConfigBytes = int64_t{1} << 20;

struct NamedActivation {
  const char* name;
  Activation activation;
};
// Hugging Face's names. The first one of an activation is what is written;
// gelu_fast and gelu_accurate are the tanh form with its factors in another
// order.
constexpr NamedActivation kActivations[] = {
    {"gelu_new", Activation::kGeluTanh},
    {"gelu_pytorch_tanh", Activation::kGeluTanh},
    {"gelu_fast", Activation::kGeluTanh},
    {"gelu_accurate", Activation::kGeluTanh},
    {"gelu", Activation::kGeluErf},
    {"gelu_python", Activation::kGeluErf},
    {"relu", Activation::kRelu},
    {"silu", Activation::kSilu},
    {"swish", Activation::kSilu},
    {"quick_gelu", Activation::kQuickGelu},
    {"tanh", Activation::kTanh},
};

std::string ActivationNames() {
  std::string names;
  for (const NamedActivation& known : kActivations) {
    const bool last = &known == std::end(kActivations) - 1;
    absl::StrAppend(&names,
                    names.empty() ? ""
                    : last        ? " or "
                                  : ", ",
                    known.name);
  }
  return names;
}

}  // namespace

absl::StatusOr<std::string> ReadConfigJson(const std::string& directory) {
  return ReadFile(absl::StrCat(directory, "/config.json"), kMaxConfigBytes);
}

absl::Status RefuseConfig(absl::string_view key, absl::string_view rule,
                          absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: ", key, ": must be ", rule, ", got ", got));
}

std::string ShownInConfig(const Json& value) {
  if (value.is_string()) return Quoted(value.get<std::string>());
  // ASCII, so that the cut cannot fall inside a character.
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true,
                                Json::error_handler_t::replace);
  if (text.size() > 64) text = absl::StrCat(text.substr(0, 64), "...");
  return text;
}

absl::StatusOr<Json> ParseConfigObject(absl::string_view json) {
  absl::StatusOr<Json> parsed = ParseJson(json);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("config.json: ", parsed.status().message()));
  }
  if (parsed->is_object()) return parsed;
  return absl::InvalidArgumentError(absl::StrCat(
      "config.json: must be a JSON object, got ", ShownInConfig(*parsed)));
}

absl::string_view ActivationName(Activation activation) {
  for (const NamedActivation& candidate : kActivations) {
    if (candidate.activation == activation) return candidate.name;
  }
  return "";
}

const Json* ConfigFields::Find(const char* key) const {
  auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::string ConfigFields::Got(const char* key) const {
  if (const Json* value = Find(key)) return ShownInConfig(*value);
  return object_.contains(key) ? "null" : "nothing";
}

absl::Status ConfigFields::Integer(const char* key, int64_t low, int64_t high,
                                   int* out) const {
  const std::string rule =
      absl::StrCat("an integer in [", low, ", ", high, "]");
  const Json* value = Find(key);
  if (value == nullptr) return RefuseConfig(key, rule, Got(key));
  // Unsigned values above INT64_MAX do not fit get<int64_t>.
  const bool fits =
      value->is_number_unsigned()
          ? value->get<uint64_t>() <= static_cast<uint64_t>(high)
          : value->is_number_integer() && value->get<int64_t>() <= high;
  if (!fits || value->get<int64_t>() < low) {
    return RefuseConfig(key, rule, Got(key));
  }
  *out = static_cast<int>(value->get<int64_t>());
  return absl::OkStatus();
}

absl::Status ConfigFields::Boolean(const char* key, bool* out) const {
  const Json* value = Find(key);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_boolean()) {
    return RefuseConfig(key, "true or false", Got(key));
  }
  *out = value->get<bool>();
  return absl::OkStatus();
}

absl::Status ConfigFields::Epsilon(const char* key, double* out) const {
  const Json* value = Find(key);
  if (value == nullptr) return absl::OkStatus();
  // Written so that NaN would be refused too.
  if (!value->is_number() ||
      !(value->get<double>() > 0 && value->get<double>() <= 0.1)) {
    return RefuseConfig(key, "a number in (0, 0.1]", Got(key));
  }
  *out = value->get<double>();
  return absl::OkStatus();
}

absl::Status ConfigFields::ActivationFor(const char* key,
                                         Activation* out) const {
  const Json* name = Find(key);
  if (name == nullptr) return absl::OkStatus();
  for (const NamedActivation& candidate : kActivations) {
    if (*name != Json(candidate.name)) continue;
    *out = candidate.activation;
    return absl::OkStatus();
  }
  return RefuseConfig(key, ActivationNames(), Got(key));
}

absl::Status ConfigFields::EndTokensFor(int vocab_size, EndTokens* out) const {
  const Json* eos = Find("eos_token_id");
  if (eos == nullptr) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(
      *out, ParseEndTokens(*eos, "config.json: eos_token_id", vocab_size));
  return absl::OkStatus();
}

absl::Status ConfigFields::ModelType(absl::string_view family) const {
  const Json* model_type = Find("model_type");
  if (model_type != nullptr && *model_type == Json(std::string(family))) {
    return absl::OkStatus();
  }
  return RefuseConfig(
      "model_type", Quoted(family),
      model_type == nullptr ? "nothing" : ShownInConfig(*model_type));
}

absl::Status ConfigFields::AllFalse(
    std::initializer_list<const char*> keys) const {
  for (const char* key : keys) {
    bool on = false;
    ALIGNSAE_RETURN_IF_ERROR(Boolean(key, &on));
    if (on) return RefuseConfig(key, "false (not supported)", "true");
  }
  return absl::OkStatus();
}

absl::Status ConfigFields::AllEmpty(
    std::initializer_list<const char*> keys) const {
  for (const char* key : keys) {
    const Json* value = Find(key);
    if (value != nullptr && !(value->is_structured() && value->empty())) {
      return RefuseConfig(key, "empty or absent (not supported)", Got(key));
    }
  }
  return absl::OkStatus();
}

}  // namespace alignsae
