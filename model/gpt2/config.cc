#include "model/gpt2/config.h"

#include <iterator>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

// Far above any GPT-2, and low enough that no product of two of them overflows
// int64 and no loop over layers is a denial of service.
constexpr int64_t kMaxLayers = 512;
constexpr int64_t kMaxHeads = 1024;
constexpr int64_t kMaxModelWidth = 65536;
constexpr int64_t kMaxInnerWidth = 1048576;
constexpr int64_t kMaxContext = 65536;
constexpr int64_t kMaxVocabulary = 16777216;

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

std::string Shown(const Json& value) {
  if (value.is_string()) return Quoted(value.get<std::string>());
  // ASCII, so that the cut cannot fall inside a character.
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true,
                                Json::error_handler_t::replace);
  if (text.size() > 64) text = absl::StrCat(text.substr(0, 64), "...");
  return text;
}

absl::Status Refuse(absl::string_view key, absl::string_view rule,
                    absl::string_view got) {
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: ", key, ": must be ", rule, ", got ", got));
}

// Typed, named access to the keys of the one object.
class Fields {
 public:
  explicit Fields(const Json& object) : object_(object) {}

  // nullptr when the key is absent or null.
  const Json* Find(const char* key) const {
    auto it = object_.find(key);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  // Integers only: 12.0 and true are refused.
  absl::Status Integer(const char* key, int64_t low, int64_t high,
                       int* out) const {
    const std::string rule =
        absl::StrCat("an integer in [", low, ", ", high, "]");
    const Json* value = Find(key);
    if (value == nullptr) return Refuse(key, rule, Missing(key));
    // Unsigned values above INT64_MAX do not fit get<int64_t>.
    const bool fits =
        value->is_number_unsigned()
            ? value->get<uint64_t>() <= static_cast<uint64_t>(high)
            : value->is_number_integer() && value->get<int64_t>() <= high;
    if (!fits || value->get<int64_t>() < low) {
      return Refuse(key, rule, Shown(*value));
    }
    *out = static_cast<int>(value->get<int64_t>());
    return absl::OkStatus();
  }

  // Absent or null: `out` keeps its default.
  absl::Status Boolean(const char* key, bool* out) const {
    const Json* value = Find(key);
    if (value == nullptr) return absl::OkStatus();
    if (!value->is_boolean()) {
      return Refuse(key, "true or false", Shown(*value));
    }
    *out = value->get<bool>();
    return absl::OkStatus();
  }

 private:
  absl::string_view Missing(const char* key) const {
    return object_.contains(key) ? "null" : "nothing";
  }

  const Json& object_;
};

absl::Status ParseShape(const Fields& fields, Gpt2Config* config) {
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_layer", 1, kMaxLayers, &config->n_layer));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_head", 1, kMaxHeads, &config->n_head));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_embd", 1, kMaxModelWidth, &config->d_model));
  if (config->d_model % config->n_head != 0) {
    return Refuse("n_embd",
                  absl::StrCat("a multiple of n_head (", config->n_head, ")"),
                  absl::StrCat(config->d_model));
  }
  config->d_inner = 4 * config->d_model;
  if (fields.Find("n_inner") != nullptr) {
    ALIGNSAE_RETURN_IF_ERROR(
        fields.Integer("n_inner", 1, kMaxInnerWidth, &config->d_inner));
  }
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_positions", 1, kMaxContext, &config->context_length));
  // The old name of n_positions; two different values have no clear meaning.
  if (const Json* n_ctx = fields.Find("n_ctx");
      n_ctx != nullptr && *n_ctx != Json(config->context_length)) {
    return Refuse("n_ctx",
                  absl::StrCat("equal to n_positions (", config->context_length,
                               ") or absent"),
                  Shown(*n_ctx));
  }
  return fields.Integer("vocab_size", 1, kMaxVocabulary, &config->vocab_size);
}

absl::Status ParseNumerics(const Fields& fields, Gpt2Config* config) {
  if (const Json* epsilon = fields.Find("layer_norm_epsilon")) {
    // Written so that NaN would be refused too.
    if (!epsilon->is_number() ||
        !(epsilon->get<double>() > 0 && epsilon->get<double>() <= 0.1)) {
      return Refuse("layer_norm_epsilon", "a number in (0, 0.1]",
                    Shown(*epsilon));
    }
    config->layer_norm_epsilon = epsilon->get<double>();
  }
  if (const Json* name = fields.Find("activation_function")) {
    const NamedActivation* found = nullptr;
    for (const NamedActivation& candidate : kActivations) {
      if (*name == Json(candidate.name)) found = &candidate;
    }
    if (found == nullptr) {
      return Refuse("activation_function", ActivationNames(), Shown(*name));
    }
    config->activation = found->activation;
  }
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("tie_word_embeddings", &config->tie_word_embeddings));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("scale_attn_weights", &config->scale_attn_weights));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("scale_attn_by_inverse_layer_idx",
                     &config->scale_attn_by_inverse_layer_idx));
  const Json* eos = fields.Find("eos_token_id");
  if (eos == nullptr) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(
      config->end_tokens,
      ParseEndTokens(*eos, "config.json: eos_token_id", config->vocab_size));
  return absl::OkStatus();
}

// Switches of Hugging Face's GPT-2 that change the forward pass and that we do
// not implement.
absl::Status RefuseUnsupported(const Fields& fields) {
  const Json* model_type = fields.Find("model_type");
  if (model_type == nullptr || *model_type != Json("gpt2")) {
    return Refuse("model_type", "\"gpt2\"",
                  model_type == nullptr ? "nothing" : Shown(*model_type));
  }
  // Scores scaled before their product and a softmax in float32: what attention
  // does here in any case, so both values are the same computation.
  bool upcast = false;
  ALIGNSAE_RETURN_IF_ERROR(fields.Boolean("reorder_and_upcast_attn", &upcast));
  for (const char* key : {"add_cross_attention", "is_encoder_decoder"}) {
    bool on = false;
    ALIGNSAE_RETURN_IF_ERROR(fields.Boolean(key, &on));
    if (on) return Refuse(key, "false (not supported)", "true");
  }
  // Present and not empty: weights in another form, or code of its own.
  for (const char* key : {"pruned_heads", "quantization_config", "auto_map"}) {
    const Json* value = fields.Find(key);
    if (value != nullptr && !(value->is_structured() && value->empty())) {
      return Refuse(key, "empty or absent (not supported)", Shown(*value));
    }
  }
  // Aliases that Hugging Face reads but never writes. One that says something
  // else would load another model than the file's author meant.
  constexpr std::pair<const char*, const char*> kAliases[] = {
      {"hidden_size", "n_embd"},
      {"max_position_embeddings", "n_positions"},
      {"num_attention_heads", "n_head"},
      {"num_hidden_layers", "n_layer"},
  };
  for (const auto& [alias, name] : kAliases) {
    const Json* value = fields.Find(alias);
    const Json* own = fields.Find(name);
    if (value == nullptr || (own != nullptr && *value == *own)) continue;
    return Refuse(alias, absl::StrCat("absent or equal to ", name),
                  Shown(*value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Gpt2Config> ParseGpt2Config(absl::string_view json) {
  absl::StatusOr<Json> parsed = ParseJson(json);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("config.json: ", parsed.status().message()));
  }
  if (!parsed->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "config.json: must be a JSON object, got ", Shown(*parsed)));
  }
  const Fields fields(*parsed);
  Gpt2Config config;
  ALIGNSAE_RETURN_IF_ERROR(RefuseUnsupported(fields));
  ALIGNSAE_RETURN_IF_ERROR(ParseShape(fields, &config));
  ALIGNSAE_RETURN_IF_ERROR(ParseNumerics(fields, &config));
  return config;
}

std::string Gpt2ConfigToJson(const Gpt2Config& config) {
  const char* activation = "";
  for (const NamedActivation& candidate : kActivations) {
    if (candidate.activation == config.activation) {
      activation = candidate.name;
      break;
    }
  }
  // null, not absent: Hugging Face's default is 50256.
  const Json eos = EndTokensToJson(config.end_tokens);
  const Json json = {
      {"architectures", Json::array({"GPT2LMHeadModel"})},
      {"model_type", "gpt2"},
      {"n_layer", config.n_layer},
      {"n_head", config.n_head},
      {"n_embd", config.d_model},
      {"n_inner", config.d_inner},
      {"n_positions", config.context_length},
      {"n_ctx", config.context_length},
      {"vocab_size", config.vocab_size},
      {"layer_norm_epsilon", config.layer_norm_epsilon},
      {"activation_function", activation},
      {"tie_word_embeddings", config.tie_word_embeddings},
      {"scale_attn_weights", config.scale_attn_weights},
      {"scale_attn_by_inverse_layer_idx",
       config.scale_attn_by_inverse_layer_idx},
      {"bos_token_id", eos.is_array() ? eos.front() : eos},
      {"eos_token_id", eos},
  };
  return json.dump(2) + "\n";
}

TransformerFacts Gpt2Config::facts() const {
  TransformerFacts facts;
  facts.family = "gpt2";
  facts.n_layer = n_layer;
  facts.n_head = n_head;
  facts.d_model = d_model;
  facts.context_length = context_length;
  facts.vocab_size = vocab_size;
  return facts;
}

}  // namespace alignsae
