#include "model/gpt_neox/config.h"

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/transformer/config_fields.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

absl::Status ParseSizes(const ConfigFields& fields, GptNeoXConfig* config) {
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("num_hidden_layers", 1, kMaxLayers, &config->n_layer));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("num_attention_heads", 1, kMaxHeads, &config->n_head));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("hidden_size", 1, kMaxConfigWidth, &config->d_model));
  if (config->d_model % config->n_head != 0) {
    return RefuseConfig("hidden_size",
                        absl::StrCat("a multiple of num_attention_heads (",
                                     config->n_head, ")"),
                        fields.Got("hidden_size"));
  }
  // Another width of heads would turn other numbers of them.
  if (const Json* width = fields.Find("head_dim");
      width != nullptr && *width != Json(config->head_dim())) {
    return RefuseConfig("head_dim",
                        absl::StrCat("absent or ", config->head_dim(),
                                     ", hidden_size / num_attention_heads"),
                        fields.Got("head_dim"));
  }
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("intermediate_size", 1, kMaxInnerWidth, &config->d_inner));
  ALIGNSAE_RETURN_IF_ERROR(fields.Integer(
      "max_position_embeddings", 1, kMaxContext, &config->context_length));
  return fields.Integer("vocab_size", 1, kMaxVocabulary, &config->vocab_size);
}

absl::Status ParseSwitches(const ConfigFields& fields, GptNeoXConfig* config) {
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Epsilon("layer_norm_eps", &config->layer_norm_epsilon));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.ActivationFor("hidden_act", &config->activation));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("use_parallel_residual", &config->parallel_residual));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("tie_word_embeddings", &config->tie_word_embeddings));
  bool attention_bias = true;
  ALIGNSAE_RETURN_IF_ERROR(fields.Boolean("attention_bias", &attention_bias));
  if (!attention_bias) {
    return RefuseConfig("attention_bias", "true (false is not supported)",
                        "false");
  }
  return fields.EndTokensFor(config->vocab_size, &config->end_tokens);
}

// One value under one of the names that it has had.
struct Alias {
  std::string name;
  const Json* value;  // Null: not in the file.
};

// The number that the first alias which is there gives, in (0, most]; the
// others must not say otherwise.
absl::Status NumberOf(const std::vector<Alias>& aliases, double most,
                      double* out) {
  const Alias* first = nullptr;
  for (const Alias& alias : aliases) {
    if (alias.value == nullptr) continue;
    // Written so that NaN would be refused too.
    if (!alias.value->is_number() || !(alias.value->get<double>() > 0 &&
                                       alias.value->get<double>() <= most)) {
      return RefuseConfig(alias.name,
                          absl::StrCat("a number in (0, ", most, "]"),
                          ShownInConfig(*alias.value));
    }
    if (first == nullptr) {
      first = &alias;
      *out = alias.value->get<double>();
    } else if (alias.value->get<double>() != *out) {
      return RefuseConfig(alias.name,
                          absl::StrCat("absent or ", *out, " as ", first->name),
                          ShownInConfig(*alias.value));
    }
  }
  return absl::OkStatus();
}

// rope_parameters of transformers 5: the plain form alone. Every other one
// (linear, dynamic, yarn, ...) turns by other angles.
absl::Status CheckRopeParameters(const Json& rope) {
  if (!rope.is_object()) {
    return RefuseConfig("rope_parameters", "an object", ShownInConfig(rope));
  }
  for (const auto& [key, value] : rope.items()) {
    const std::string field = absl::StrCat("rope_parameters.", key);
    if (key == "rope_theta" || key == "partial_rotary_factor") continue;
    if (key == "rope_type" || key == "type") {
      if (value == Json("default")) continue;
      return RefuseConfig(field,
                          "\"default\" (no other scaling of positions "
                          "is supported)",
                          ShownInConfig(value));
    }
    return RefuseConfig(field, "absent (not supported)", ShownInConfig(value));
  }
  return absl::OkStatus();
}

absl::Status ParseRotary(const ConfigFields& fields, GptNeoXConfig* config) {
  ALIGNSAE_RETURN_IF_ERROR(fields.AllEmpty({"rope_scaling"}));
  const Json* rope = fields.Find("rope_parameters");
  if (rope != nullptr) ALIGNSAE_RETURN_IF_ERROR(CheckRopeParameters(*rope));
  const auto inside = [&](const char* key) -> Alias {
    const std::string name = absl::StrCat("rope_parameters.", key);
    if (rope == nullptr) return {name, nullptr};
    return {name, ConfigFields(*rope).Find(key)};
  };
  const auto outside = [&](const char* key) -> Alias {
    return {key, fields.Find(key)};
  };
  constexpr double kMaxBase = 1e12;
  ALIGNSAE_RETURN_IF_ERROR(NumberOf(
      {inside("rope_theta"), outside("rope_theta"), outside("rotary_emb_base")},
      kMaxBase, &config->rotary_base));
  double share = 0.25;  // Hugging Face's default.
  ALIGNSAE_RETURN_IF_ERROR(
      NumberOf({inside("partial_rotary_factor"),
                outside("partial_rotary_factor"), outside("rotary_pct")},
               1, &share));
  config->rotary_dims = static_cast<int>(config->head_dim() * share);
  if (config->rotary_dims >= 2 && config->rotary_dims % 2 == 0) {
    return absl::OkStatus();
  }
  return RefuseConfig(
      "rotary_pct",
      absl::StrCat("a share that gives an even number of the ",
                   config->head_dim(), " numbers of a head, at least 2"),
      absl::StrCat(share, ", which gives ", config->rotary_dims));
}

}  // namespace

absl::StatusOr<GptNeoXConfig> ParseGptNeoXConfig(absl::string_view json) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Json object, ParseConfigObject(json));
  const ConfigFields fields(object);
  GptNeoXConfig config;
  ALIGNSAE_RETURN_IF_ERROR(fields.ModelType("gpt_neox"));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.AllFalse({"add_cross_attention", "is_encoder_decoder"}));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.AllEmpty({"pruned_heads", "quantization_config", "auto_map"}));
  ALIGNSAE_RETURN_IF_ERROR(ParseSizes(fields, &config));
  ALIGNSAE_RETURN_IF_ERROR(ParseSwitches(fields, &config));
  ALIGNSAE_RETURN_IF_ERROR(ParseRotary(fields, &config));
  return config;
}

TransformerFacts GptNeoXConfig::facts() const {
  TransformerFacts facts;
  facts.family = "gpt_neox";
  facts.n_layer = n_layer;
  facts.n_head = n_head;
  facts.d_model = d_model;
  facts.context_length = context_length;
  facts.vocab_size = vocab_size;
  facts.parallel_residual = parallel_residual;
  return facts;
}

}  // namespace alignsae
