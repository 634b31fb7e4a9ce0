#include "model/gpt2/config.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/transformer/config_fields.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

absl::Status ParseShape(const ConfigFields& fields, Gpt2Config* config) {
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_layer", 1, kMaxLayers, &config->n_layer));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_head", 1, kMaxHeads, &config->n_head));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Integer("n_embd", 1, kMaxConfigWidth, &config->d_model));
  if (config->d_model % config->n_head != 0) {
    return RefuseConfig(
        "n_embd", absl::StrCat("a multiple of n_head (", config->n_head, ")"),
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
    return RefuseConfig("n_ctx",
                        absl::StrCat("equal to n_positions (",
                                     config->context_length, ") or absent"),
                        ShownInConfig(*n_ctx));
  }
  return fields.Integer("vocab_size", 1, kMaxVocabulary, &config->vocab_size);
}

absl::Status ParseNumerics(const ConfigFields& fields, Gpt2Config* config) {
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Epsilon("layer_norm_epsilon", &config->layer_norm_epsilon));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.ActivationFor("activation_function", &config->activation));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("tie_word_embeddings", &config->tie_word_embeddings));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("scale_attn_weights", &config->scale_attn_weights));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.Boolean("scale_attn_by_inverse_layer_idx",
                     &config->scale_attn_by_inverse_layer_idx));
  return fields.EndTokensFor(config->vocab_size, &config->end_tokens);
}

// Switches of Hugging Face's GPT-2 that change the forward pass and that we do
// not implement.
absl::Status RefuseUnsupported(const ConfigFields& fields) {
  ALIGNSAE_RETURN_IF_ERROR(fields.ModelType("gpt2"));
  // Scores scaled before their product and a softmax in float32: what attention
  // does here in any case, so both values are the same computation.
  bool upcast = false;
  ALIGNSAE_RETURN_IF_ERROR(fields.Boolean("reorder_and_upcast_attn", &upcast));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.AllFalse({"add_cross_attention", "is_encoder_decoder"}));
  ALIGNSAE_RETURN_IF_ERROR(
      fields.AllEmpty({"pruned_heads", "quantization_config", "auto_map"}));
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
    return RefuseConfig(alias, absl::StrCat("absent or equal to ", name),
                        ShownInConfig(*value));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Gpt2Config> ParseGpt2Config(absl::string_view json) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Json object, ParseConfigObject(json));
  const ConfigFields fields(object);
  Gpt2Config config;
  ALIGNSAE_RETURN_IF_ERROR(RefuseUnsupported(fields));
  ALIGNSAE_RETURN_IF_ERROR(ParseShape(fields, &config));
  ALIGNSAE_RETURN_IF_ERROR(ParseNumerics(fields, &config));
  return config;
}

std::string Gpt2ConfigToJson(const Gpt2Config& config) {
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
      {"activation_function", std::string(ActivationName(config.activation))},
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
