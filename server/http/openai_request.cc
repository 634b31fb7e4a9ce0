#include "server/http/openai_request.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/http/connect_codec.h"

namespace alignsae {
namespace {

using nlohmann::json;

constexpr int kDefaultMaxTokens = 16;
constexpr double kDefaultTemperature = 1;

constexpr absl::string_view kKnown[] = {"model",
                                        "prompt",
                                        "max_tokens",
                                        "temperature",
                                        "top_p",
                                        "n",
                                        "stream",
                                        "stream_options",
                                        "logprobs",
                                        "echo",
                                        "stop",
                                        "seed",
                                        "user",
                                        "steering",
                                        "presence_penalty",
                                        "frequency_penalty",
                                        "logit_bias",
                                        "min_tokens",
                                        "suffix",
                                        "best_of"};

absl::Status Wrong(absl::string_view field, absl::string_view rule,
                   const json& got) {
  return InvalidField(field, rule, ShowJson(&got));
}

// Typed access to the body; a null is as if the field were absent.
class Body {
 public:
  explicit Body(const json& value) : value_(value) {}

  const json* Find(const char* field) const {
    const auto found = value_.find(field);
    return found == value_.end() || found->is_null() ? nullptr : &*found;
  }
  absl::Status Bool(const char* field, bool* to) const {
    const json* value = Find(field);
    if (value == nullptr) return absl::OkStatus();
    if (!value->is_boolean()) return Wrong(field, "be true or false", *value);
    *to = value->get<bool>();
    return absl::OkStatus();
  }
  // Left as it is when the field is absent.
  absl::Status Integer(const char* field, int low, int high, int* to) const {
    const json* value = Find(field);
    if (value == nullptr) return absl::OkStatus();
    if (!value->is_number_integer() || *value < low || *value > high) {
      return Wrong(field,
                   absl::StrCat("be an integer in [", low, ", ", high, "]"),
                   *value);
    }
    *to = value->get<int>();
    return absl::OkStatus();
  }
  absl::Status Number(const char* field, double* to) const {
    const json* value = Find(field);
    if (value == nullptr) return absl::OkStatus();
    if (!value->is_number()) return Wrong(field, "be a number", *value);
    *to = value->get<double>();
    return absl::OkStatus();
  }

 private:
  const json& value_;
};

// What this server cannot do, unless it is asked for nothing.
absl::Status CheckUnsupported(const Body& body, int n) {
  const json* suffix = body.Find("suffix");
  if (suffix != nullptr && *suffix != "") {
    return Wrong("suffix", "be absent: this server does not insert", *suffix);
  }
  const json* best_of = body.Find("best_of");
  if (best_of != nullptr && *best_of != n) {
    return Wrong("best_of", "be n: this server does not choose", *best_of);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Prompt> IdsPrompt(const json& ids, absl::string_view field) {
  v1::Prompt prompt;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!ids[i].is_number_integer() || ids[i] < INT32_MIN ||
        ids[i] > INT32_MAX) {
      return Wrong(Indexed(field, i), "be a token id", ids[i]);
    }
    prompt.mutable_token_ids()->add_ids(ids[i].get<int32_t>());
  }
  return prompt;
}

// Before it is copied for each of n. No token is less than a byte.
absl::Status CheckSizes(const std::vector<v1::Prompt>& prompts,
                        const Limits& limits) {
  for (const v1::Prompt& prompt : prompts) {
    const size_t size =
        prompt.has_text() ? prompt.text().size()
                          : static_cast<size_t>(prompt.token_ids().ids_size());
    if (size <= static_cast<size_t>(limits.max_prompt_bytes)) continue;
    return InvalidField("prompt",
                        absl::StrCat("hold at most ", limits.max_prompt_bytes,
                                     " bytes or token ids"),
                        size);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::Prompt>> ReadPrompts(const Body& body) {
  constexpr char kRule[] =
      "be a text, a list of texts, token ids, or a list of token ids";
  const json* value = body.Find("prompt");
  if (value == nullptr) return InvalidField("prompt", kRule, "nothing");
  std::vector<v1::Prompt> prompts;
  if (value->is_string()) {
    prompts.emplace_back().set_text(value->get<std::string>());
    return prompts;
  }
  if (!value->is_array() || value->empty()) {
    return Wrong("prompt", kRule, *value);
  }
  if (value->front().is_number()) {
    ALIGNSAE_ASSIGN_OR_RETURN(prompts.emplace_back(),
                              IdsPrompt(*value, "prompt"));
    return prompts;
  }
  for (size_t i = 0; i < value->size(); ++i) {
    const json& one = (*value)[i];
    const std::string field = Indexed("prompt", i);
    if (one.is_string()) {
      prompts.emplace_back().set_text(one.get<std::string>());
    } else if (one.is_array() && !one.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(prompts.emplace_back(), IdsPrompt(one, field));
    } else {
      return Wrong(field, "be a text or token ids", one);
    }
  }
  return prompts;
}

absl::Status ReadStop(const Body& body, v1::GenerationConfig* generation) {
  const json* stop = body.Find("stop");
  if (stop == nullptr) return absl::OkStatus();
  const json list = stop->is_array() ? *stop : json::array({*stop});
  for (const json& one : list) {
    if (!one.is_string()) return Wrong("stop", "be a text or texts", *stop);
    generation->add_stop_sequences(one.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status ReadSteering(const Body& body, v1::CompleteRequest* request) {
  const json* steering = body.Find("steering");
  if (steering == nullptr) return absl::OkStatus();
  if (!steering->is_array()) {
    return Wrong("steering", "be a list of interventions", *steering);
  }
  for (size_t i = 0; i < steering->size(); ++i) {
    ALIGNSAE_RETURN_IF_ERROR(
        InField(Indexed("steering", i),
                ParseMessage(Codec::kJson, (*steering)[i].dump(),
                             request->add_interventions())));
  }
  return absl::OkStatus();
}

absl::Status ReadBias(const Body& body, v1::GenerationConfig* generation) {
  const json* bias = body.Find("logit_bias");
  if (bias == nullptr) return absl::OkStatus();
  if (!bias->is_object()) {
    return Wrong("logit_bias", "be an object of token ids", *bias);
  }
  for (const auto& [token, value] : bias->items()) {
    int32_t id = 0;
    if (!absl::SimpleAtoi(token, &id)) {
      return InvalidField("logit_bias", "name tokens by their ids",
                          Quoted(token));
    }
    if (!value.is_number()) {
      return Wrong(absl::StrCat("logit_bias[", id, "]"), "be a number", value);
    }
    (*generation->mutable_logit_bias())[id] = value.get<double>();
  }
  return absl::OkStatus();
}

absl::Status ReadPenalties(const Body& body, v1::GenerationConfig* generation) {
  double frequency = 0;
  double presence = 0;
  ALIGNSAE_RETURN_IF_ERROR(body.Number("frequency_penalty", &frequency));
  ALIGNSAE_RETURN_IF_ERROR(body.Number("presence_penalty", &presence));
  generation->set_frequency_penalty(frequency);
  generation->set_presence_penalty(presence);
  ALIGNSAE_RETURN_IF_ERROR(ReadBias(body, generation));
  int min_tokens = 0;
  ALIGNSAE_RETURN_IF_ERROR(
      body.Integer("min_tokens", 0, INT32_MAX, &min_tokens));
  generation->set_min_new_tokens(min_tokens);
  return absl::OkStatus();
}

// None are generated where only the prompt is asked for: the one that the model
// gives is not told.
absl::Status ReadMaxTokens(const Body& body, AskedCompletion* asked,
                           v1::GenerationConfig* generation) {
  int max_tokens = kDefaultMaxTokens;
  ALIGNSAE_RETURN_IF_ERROR(
      body.Integer("max_tokens", asked->echo ? 0 : 1, INT32_MAX, &max_tokens));
  asked->prompt_only = max_tokens == 0;
  generation->set_max_new_tokens(std::max(max_tokens, 1));
  return absl::OkStatus();
}

// All but prompt and seed.
absl::StatusOr<v1::CompleteRequest> ReadRequest(const Body& body,
                                                AskedCompletion* asked) {
  v1::CompleteRequest request;
  v1::GenerationConfig& generation = *request.mutable_generation();
  ALIGNSAE_RETURN_IF_ERROR(ReadMaxTokens(body, asked, &generation));
  double temperature = kDefaultTemperature;
  ALIGNSAE_RETURN_IF_ERROR(body.Number("temperature", &temperature));
  generation.set_temperature(temperature);
  double top_p = 1;
  ALIGNSAE_RETURN_IF_ERROR(body.Number("top_p", &top_p));
  generation.set_top_p(top_p);
  if (body.Find("logprobs") != nullptr) {
    int logprobs = 0;
    ALIGNSAE_RETURN_IF_ERROR(body.Integer("logprobs", 0, 1000, &logprobs));
    asked->logprobs = logprobs;
    generation.set_top_logprobs(logprobs);
    if (asked->echo) generation.set_prompt_logprobs(logprobs);
  }
  ALIGNSAE_RETURN_IF_ERROR(ReadPenalties(body, &generation));
  ALIGNSAE_RETURN_IF_ERROR(ReadStop(body, &generation));
  ALIGNSAE_RETURN_IF_ERROR(ReadSteering(body, &request));
  return request;
}

absl::Status ReadOptions(const Body& body, AskedCompletion* asked) {
  const json* model = body.Find("model");
  if (model == nullptr || !model->is_string()) {
    return InvalidField("model", "be the name of a model", ShowJson(model));
  }
  asked->model = model->get<std::string>();
  ALIGNSAE_RETURN_IF_ERROR(body.Bool("stream", &asked->stream));
  ALIGNSAE_RETURN_IF_ERROR(body.Bool("echo", &asked->echo));
  if (const json* options = body.Find("stream_options")) {
    if (!options->is_object()) {
      return Wrong("stream_options", "be an object", *options);
    }
    ALIGNSAE_RETURN_IF_ERROR(
        InField("stream_options",
                Body(*options).Bool("include_usage", &asked->include_usage)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AskedCompletion> ParseCompletion(absl::string_view text,
                                                const Limits& limits) {
  const absl::StatusOr<json> value = ParseJson(text);
  if (!value.ok() || !value->is_object()) {
    return InvalidField(
        "request", "be a JSON object",
        value.ok() ? ShowJson(&*value) : std::string(value.status().message()));
  }
  for (const auto& [key, unused] : value->items()) {
    if (std::find(std::begin(kKnown), std::end(kKnown), key) ==
        std::end(kKnown)) {
      return InvalidField("request", "hold fields of /v1/completions only",
                          Quoted(key));
    }
  }
  const Body body(*value);
  AskedCompletion asked;
  ALIGNSAE_RETURN_IF_ERROR(ReadOptions(body, &asked));
  int n = 1;
  ALIGNSAE_RETURN_IF_ERROR(
      body.Integer("n", 1, limits.max_prompts_per_batch, &n));
  ALIGNSAE_RETURN_IF_ERROR(CheckUnsupported(body, n));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<v1::Prompt> prompts,
                            ReadPrompts(body));
  ALIGNSAE_RETURN_IF_ERROR(CheckSizes(prompts, limits));
  asked.prompts = static_cast<int>(prompts.size());
  const size_t choices = prompts.size() * static_cast<size_t>(n);
  if (choices > static_cast<size_t>(limits.max_prompts_per_batch)) {
    return InvalidField("n",
                        absl::StrCat("be, times the prompts, at most ",
                                     limits.max_prompts_per_batch),
                        choices);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::CompleteRequest request,
                            ReadRequest(body, &asked));
  const json* seed = body.Find("seed");
  if (seed != nullptr && !seed->is_number_integer()) {
    return Wrong("seed", "be an integer", *seed);
  }
  for (int i = 0; i < asked.prompts; ++i) {
    for (int k = 0; k < n; ++k) {
      AskedChoice& choice = asked.choices.emplace_back(AskedChoice{i, request});
      *choice.request.mutable_prompt() = prompts[static_cast<size_t>(i)];
      // The text of token ids is told with their logprobs.
      if (asked.echo && !choice.request.prompt().has_text() &&
          !asked.logprobs.has_value()) {
        choice.request.mutable_generation()->set_prompt_logprobs(0);
      }
      if (seed == nullptr) continue;
      // Each of n has its own, so that they differ.
      choice.request.mutable_generation()->set_seed(
          static_cast<uint64_t>(seed->get<int64_t>()) +
          static_cast<uint64_t>(k));
    }
  }
  return asked;
}

v1::GenerateRequest ToGenerate(const v1::CompleteRequest& request) {
  v1::GenerateRequest generate;
  *generate.mutable_prompt() = request.prompt();
  *generate.mutable_interventions() = request.interventions();
  *generate.mutable_generation() = request.generation();
  generate.set_model(request.model());
  return generate;
}

std::string CompletionField(absl::string_view path) {
  constexpr std::pair<absl::string_view, absl::string_view> kNames[] = {
      {"generation.max_new_tokens", "max_tokens"},
      {"generation.temperature", "temperature"},
      {"generation.top_p", "top_p"},
      {"generation.stop_sequences", "stop"},
      {"generation.top_logprobs", "logprobs"},
      {"generation.prompt_logprobs", "logprobs"},
      {"generation.frequency_penalty", "frequency_penalty"},
      {"generation.presence_penalty", "presence_penalty"},
      {"generation.logit_bias", "logit_bias"},
      {"generation.min_new_tokens", "min_tokens"},
      {"interventions", "steering"},
      {"prompt.text", "prompt"},
      {"prompt.token_ids.ids", "prompt"}};
  for (const auto& [from, to] : kNames) {
    if (path == from || absl::StartsWith(path, absl::StrCat(from, "[")) ||
        absl::StartsWith(path, absl::StrCat(from, "."))) {
      return absl::StrCat(to, path.substr(from.size()));
    }
  }
  return std::string(path);
}

}  // namespace alignsae
