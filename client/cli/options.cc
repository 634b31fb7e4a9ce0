#include "client/cli/options.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/edit_spec.h"
#include "client/lib/credential_flags.h"
#include "client/lib/servers.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::StatusOr<v1::Prompt> MakePrompt(const CliOptions& options,
                                      const std::string& text) {
  v1::Prompt prompt;
  if (options.ids) {
    for (absl::string_view id :
         absl::StrSplit(text, absl::ByAnyChar(", "), absl::SkipEmpty())) {
      int32_t value = 0;
      if (!absl::SimpleAtoi(id, &value)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "prompt: must be integers with --ids, got \"", id, "\""));
      }
      prompt.mutable_token_ids()->add_ids(value);
    }
  } else if (options.raw) {
    prompt.set_text(text);
  } else {
    prompt.set_question(text);
  }
  return prompt;
}

std::optional<std::pair<int32_t, double>> ParseTokenBias(
    absl::string_view spec) {
  const std::vector<absl::string_view> parts = absl::StrSplit(spec, '=');
  std::pair<int32_t, double> bias;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &bias.first) ||
      !absl::SimpleAtod(parts[1], &bias.second)) {
    return std::nullopt;
  }
  return bias;
}

std::optional<std::pair<std::string, std::string>> ParseExpected(
    absl::string_view spec) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(spec, absl::MaxSplits('=', 1));
  if (parts.first.empty() || parts.second.empty()) return std::nullopt;
  return std::pair(std::string(parts.first), std::string(parts.second));
}

v1::GenerationConfig MakeGeneration(const CliOptions& options) {
  v1::GenerationConfig config;
  if (options.max_new_tokens)
    config.set_max_new_tokens(*options.max_new_tokens);
  if (options.temperature) config.set_temperature(*options.temperature);
  if (options.sample_top_k) config.set_top_k(*options.sample_top_k);
  if (options.top_p) config.set_top_p(*options.top_p);
  if (options.repetition_penalty) {
    config.set_repetition_penalty(*options.repetition_penalty);
  }
  if (options.frequency_penalty) {
    config.set_frequency_penalty(*options.frequency_penalty);
  }
  if (options.presence_penalty) {
    config.set_presence_penalty(*options.presence_penalty);
  }
  for (const std::string& spec : options.logit_bias) {
    if (const auto bias = ParseTokenBias(spec)) {
      (*config.mutable_logit_bias())[bias->first] = bias->second;
    }
  }
  if (options.min_new_tokens) {
    config.set_min_new_tokens(*options.min_new_tokens);
  }
  if (options.prompt_logprobs) {
    config.set_prompt_logprobs(*options.prompt_logprobs);
  }
  if (options.seed) config.set_seed(*options.seed);
  for (const std::string& stop : options.stop) config.add_stop_sequences(stop);
  config.set_top_logprobs(options.top_logprobs);
  config.set_ignore_eos(options.ignore_eos);
  config.set_concept_trace(options.trace);
  if (const auto condition = ParseConditionSpec(options.abort_when)) {
    *config.mutable_abort_when() = *condition;
  }
  return config;
}

std::optional<v1::SteeringGuard> MakeGuard(const CliOptions& options) {
  if (!options.max_norm_ratio && !options.max_off_target && !options.max_kl) {
    return std::nullopt;
  }
  v1::SteeringGuard guard;
  if (options.max_norm_ratio) guard.set_max_norm_ratio(*options.max_norm_ratio);
  if (options.max_off_target) guard.set_max_off_target(*options.max_off_target);
  if (options.max_kl) guard.set_max_kl(*options.max_kl);
  return guard;
}

absl::StatusOr<v1::PositionSelection> MakePositions(const CliOptions& options) {
  v1::PositionSelection selection;
  if (!options.positions.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(selection, ParsePositions(options.positions));
  }
  selection.set_generated(options.generated);
  return selection;
}

absl::StatusOr<Client> Connect(const CliOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(TargetOf(options.server).status());
  ClientOptions client;
  client.target = options.server;
  client.timeout = absl::Seconds(options.timeout_seconds);
  client.request_id = options.request_id;
  client.client_id = options.client_id;
  ALIGNSAE_RETURN_IF_ERROR(ReadCredentials(options.credentials, client));
  return Client(std::move(client));
}

absl::StatusOr<Client> ConnectAsOperator(CliOptions options) {
  options.server = options.operator_server;
  return Connect(options);
}

}  // namespace alignsae
